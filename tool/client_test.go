package tool

import (
	"errors"
	"testing"
)

func TestWithoutAClientNobodyIsAsked(t *testing.T) {
	c := ClientOf(t.Context())
	c.Progress(t.Context(), 1, 2, "")
	c.Log(t.Context(), "info", "x")
	c.LetGo(0)
	if _, _, err := c.Elicit(t.Context(), "m", nil); !errors.Is(err, ErrNoClient) {
		t.Errorf("elicit: %v", err)
	}
	if _, err := c.Sample(t.Context(), nil); !errors.Is(err, ErrNoClient) {
		t.Errorf("sample: %v", err)
	}
}

func TestWordsOfABlock(t *testing.T) {
	for _, tc := range []struct {
		b    Block
		want string
		none bool
	}{
		{b: Block{Type: "text", Text: "a"}, want: "a"},
		{b: Block{Type: "text"}},
		{b: Block{Type: "resource", Resource: &Resource{Text: "r"}}, want: "r"},
		{b: Block{Type: "image", Data: []byte{1}}, none: true},
	} {
		w := tc.b.Words()
		if (w == nil) != tc.none || w != nil && *w != tc.want {
			t.Errorf("%+v: %v", tc.b, w)
		}
	}
}
