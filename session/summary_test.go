package session

import (
	"context"
	"errors"
	"testing"
)

func TestSummaryKeepsTheLabel(t *testing.T) {
	ctx, s := context.Background(), newStore(t)
	key := Key{"main", "main"}
	if err := s.Summarize(ctx, "t", key.String(), Summary{UpTo: 1, Text: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a summary of no session: %v", err)
	}
	if _, err := s.Open(ctx, "t", key, "c"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Summary(ctx, "t", key.String()); err != nil || got.UpTo != 0 {
		t.Errorf("no summary = %+v, %v", got, err)
	}
	for _, tc := range []struct {
		put   Summary
		taint string
		want  Summary
	}{
		{Summary{UpTo: 4, Text: "four"}, "", Summary{UpTo: 4, Text: "four"}},
		{Summary{UpTo: 8, Text: "eight"}, "untrusted:email", Summary{8, "eight", "untrusted:email"}},
		{Summary{UpTo: 9, Text: "nine"}, "", Summary{9, "nine", "untrusted:email"}},
	} {
		if err := s.Taint(ctx, "t", key.String(), tc.taint); err != nil {
			t.Fatal(err)
		}
		if err := s.Summarize(ctx, "t", key.String(), tc.put); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Summary(ctx, "t", key.String()); err != nil || got != tc.want {
			t.Errorf("summary = %+v, %v; want %+v", got, err, tc.want)
		}
	}
	if err := s.Summarize(ctx, "t", key.String(), Summary{UpTo: 5, Text: "old"}); err == nil {
		t.Error("an older summary replaced a newer one")
	}
	if got, err := s.Summary(ctx, "u", key.String()); err != nil || got.UpTo != 0 {
		t.Errorf("another tenant's summary = %+v, %v", got, err)
	}
	if err := s.End(ctx, "t", key.String()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Summary(ctx, "t", key.String()); err != nil || got.UpTo != 0 {
		t.Errorf("the summary of an ended session = %+v, %v", got, err)
	}
}
