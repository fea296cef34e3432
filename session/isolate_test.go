package session

import (
	"context"
	"errors"
	"testing"

	"github.com/chitin-sh/chitin/internal/store"
)

func TestLimitsComeBackWithTheSession(t *testing.T) {
	ctx := context.Background()
	db, err := store.Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	s, key := NewStore(db), Key{"main", "cron:1"}
	for _, name := range []string{"cron:1", "cron", "subagent:1", "subagent"} {
		if _, err := s.Open(ctx, "t", Key{"main", name}, "c"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Open made %s without limits: %v", name, err)
		}
	}
	if _, err := s.Isolate(ctx, "t", key, "c", "", `{"parent":{"allow":[],"deny":null}}`); err != nil {
		t.Fatal(err)
	}
	if err := s.Taint(ctx, "t", key.String(), "untrusted:email"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Isolate(ctx, "t", key, "d", "", "{}")
	if err != nil || got.Label != "untrusted:email" || got.Creator != "d" || got.Inherited != "{}" || got.Depth != 0 {
		t.Errorf("Isolate = %+v, %v; want the new limits and the old label", got, err)
	}
	if got, err = s.Open(ctx, "t", key, "x"); err != nil || got.Inherited != "{}" || got.Creator != "d" {
		t.Errorf("Open = %+v, %v", got, err)
	}
	if _, err := s.Open(ctx, "u", key, "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another tenant's Open = %v", err)
	}
	if err := s.End(ctx, "t", key.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(ctx, "t", key, "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an ended session came back without its limits: %v", err)
	}
}
