package agent_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/agent/agenttest"
	"github.com/chitin-sh/chitin/agent/anthropic"
	"github.com/chitin-sh/chitin/agent/openai"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
)

// gallery is a corridor whose one tool shows blocks.
type gallery []tool.Block

func (g gallery) Run(context.Context, invoke.Request) invoke.Response {
	r := tool.Text("an image: ", nil)
	r.Content = append(r.Content, g...)
	return invoke.Response{Result: &r}
}

func (gallery) Tools(context.Context, invoke.Request) ([]tool.Spec, error) { return nil, nil }

func picture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// show runs a turn in which the model looks at what the corridor shows, and a
// turn after it.
func show(t *testing.T, api string, g gallery, off bool) *agenttest.Server {
	t.Helper()
	call := []agenttest.Call{{ID: "c1", Name: "image", Args: `{}`}}
	model := agenttest.New(t, agenttest.Reply{Calls: call}, agenttest.Reply{Text: "I see"})
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	l := &agent.Loop{Corridor: g, Sessions: session.NewStore(db), Provider: func(_, m string) (agent.Provider, string, error) {
		if api == "openai" {
			return openai.New(model.URL+"/v1/", secrets.NewValue("k")), m, nil
		}
		return anthropic.New(model.URL, secrets.NewValue("k")), m, nil
	}}
	s, err := l.Sessions.Open(t.Context(), "t", session.Key{Agent: "main", Name: "main"}, "me")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := l.Run(t.Context(), agent.Turn{Session: s, Input: "look", Model: "m", NoImages: off}); err != nil {
			t.Fatal(err)
		}
	}
	return model
}

func TestImagesReachTheModel(t *testing.T) {
	data := picture(t)
	encoded := base64.StdEncoding.EncodeToString(data)
	for api, want := range map[string]string{
		"anthropic": `"source":{"data":"` + encoded + `","media_type":"image/png","type":"base64"}`,
		"openai":    `"image_url":{"url":"data:image/png;base64,` + encoded + `"}`,
	} {
		model := show(t, api, gallery{{Type: "image", Data: data, MimeType: "image/gif"}}, false)
		if got := model.Request(1); !strings.Contains(got, want) {
			t.Errorf("%s: the model got %s", api, got)
		}
		if strings.Contains(model.Request(0), encoded) || strings.Contains(model.Request(2), encoded) {
			t.Errorf("%s: the image was sent in another turn", api)
		}
		if model = show(t, api, gallery{{Type: "image", Data: data, MimeType: "image/png"}}, true); strings.Contains(model.Request(1), encoded) {
			t.Errorf("%s: an image reached a model that takes none", api)
		}
	}
}

func TestImagesAreLimited(t *testing.T) {
	big := append(picture(t), make([]byte, 4<<20)...)
	many := gallery{}
	for range 30 {
		many = append(many, tool.Block{Type: "image", Data: picture(t), MimeType: "image/png"})
	}
	for name, tc := range map[string]struct {
		show gallery
		want string
		n    int
	}{
		"too large":    {gallery{{Type: "image", Data: big, MimeType: "image/png"}}, "too large to show", 0},
		"no image":     {gallery{{Type: "image", Data: []byte("<svg/>"), MimeType: "image/png"}}, "not shown", 0},
		"another kind": {gallery{{Type: "audio", MimeType: "audio/wav"}}, "[audio audio/wav]", 0},
		"too many":     {many, "too large to show", 20},
	} {
		got := show(t, "anthropic", tc.show, false).Request(1)
		if n := strings.Count(got, `"type":"base64"`); n != tc.n || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %d images; want %d; %.300s", name, n, tc.n, got)
		}
	}
}

// Reasoning reaches whoever watches and is not part of the answer.
func TestThoughts(t *testing.T) {
	model := agenttest.New(t, agenttest.Reply{Thought: "let me see", Text: "done"})
	var thought, said strings.Builder
	r, err := anthropic.New(model.URL, secrets.NewValue("k")).Complete(t.Context(), agent.Request{
		Model: "m", MaxTokens: 10, Messages: []agent.Msg{{Role: "user", Text: "x"}},
		Delta: func(s string) { said.WriteString(s) }, Thought: func(s string) { thought.WriteString(s) },
	})
	if got := fmt.Sprint(r.Text, "|", said.String(), "|", thought.String()); err != nil || got != "done|done|let me see" {
		t.Errorf("%s, %v", got, err)
	}
}
