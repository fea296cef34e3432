package session

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/internal/store"
)

func TestParseKey(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", "agent:main:main"},
		{"main", "agent:main:main"},
		{"work", "agent:main:work"},
		{"agent:ops:work", "agent:ops:work"},
		{"agent:ops:subagent:1", "agent:ops:subagent:1"},
		{"agent:ops:", ""},
		{"agent:ops", ""},
		{"agent:OPS:x", ""},
		{"agent:../x:y", ""},
		{"a b", ""},
		{"../../etc", ""},
		{"/etc", ""},
		{"a\x00b", ""},
		{strings.Repeat("a", 300), ""},
	} {
		k, err := ParseKey(tc.in, "main")
		if tc.want == "" {
			if !errors.Is(err, ErrBadKey) {
				t.Errorf("ParseKey(%q) = %v, %v; want ErrBadKey", tc.in, k, err)
			}
		} else if err != nil || k.String() != tc.want {
			t.Errorf("ParseKey(%q) = %v, %v; want %s", tc.in, k, err, tc.want)
		}
	}
	if k, _ := ParseKey("agent:a:subagent:1", ""); k.Main() {
		t.Error("a sub-agent's session counts as main")
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("agent:a:b")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s, "main")
		if err != nil {
			return
		}
		if again, err := ParseKey(k.String(), "other"); err != nil || again != k {
			t.Fatalf("%q became %v, which reads back as %v, %v", s, k, again, err)
		}
	})
}

func newStore(t *testing.T) *Store {
	t.Helper()
	db, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return NewStore(db)
}

func TestTenantsDoNotSeeEachOther(t *testing.T) {
	ctx, s := context.Background(), newStore(t)
	key := Key{"main", "shared-name"}
	for _, tenant := range []string{"alice", "bob"} {
		if _, err := s.Open(ctx, tenant, key, tenant); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Taint(ctx, "alice", key.String(), "untrusted:email"); err != nil {
		t.Fatal(err)
	}
	bob, err := s.Get(ctx, "bob", key.String())
	if err != nil || bob.Label != "" || bob.Creator != "bob" {
		t.Errorf("bob's session = %+v, %v; want his own, untainted", bob, err)
	}
	_, foreign := s.Get(ctx, "carol", key.String())
	_, absent := s.Get(ctx, "alice", "agent:main:nothing")
	if !errors.Is(foreign, ErrNotFound) || foreign.Error() != absent.Error() {
		t.Errorf("a foreign session answers %v, an absent one %v; want the same", foreign, absent)
	}
	if list, err := s.List(ctx, "carol", 10); err != nil || len(list) != 0 {
		t.Errorf("carol lists %v, %v; want nothing", list, err)
	}
}

func TestTaintStaysAndIsInherited(t *testing.T) {
	ctx, s := context.Background(), newStore(t)
	key := Key{"main", "main"}
	if _, err := s.Open(ctx, "t", key, "c"); err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"untrusted:email", "untrusted:web_fetch", ""} {
		if err := s.Taint(ctx, "t", key.String(), l); err != nil {
			t.Fatal(err)
		}
	}
	parent, err := s.Open(ctx, "t", key, "c")
	if err != nil || parent.Label != "untrusted:email" {
		t.Fatalf("label = %q, %v; want the first source to stay", parent.Label, err)
	}
	child, err := s.Spawn(ctx, parent, Key{"main", "subagent:1"}, "c", "{}")
	if err != nil || child.Label != parent.Label || child.Depth != 1 {
		t.Errorf("child = %+v, %v; want the parent's label and depth 1", child, err)
	}
	if _, err := s.Spawn(ctx, parent, Key{"main", "subagent:1"}, "c", "{}"); err == nil {
		t.Error("a child was made twice")
	}
}

func TestMessagesStayInTheirTenant(t *testing.T) {
	ctx, s := context.Background(), newStore(t)
	key := Key{"main", "main"}
	for _, tenant := range []string{"alice", "bob"} {
		if _, err := s.Open(ctx, tenant, key, tenant); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"first of " + tenant, "100% sure", "last of " + tenant} {
			if _, err := s.Append(ctx, tenant, key.String(), Message{Role: RoleUser, Text: text}); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, more, err := s.History(ctx, "bob", key.String(), 2, 0)
	if err != nil || !more || len(got) != 2 || got[1].Text != "last of bob" || got[1].Seq != 3 {
		t.Fatalf("history = %+v, %t, %v", got, more, err)
	}
	if older, more, err := s.History(ctx, "bob", key.String(), 2, got[0].Seq); err != nil || more || len(older) != 1 {
		t.Errorf("older = %+v, %t, %v", older, more, err)
	}
	for text, want := range map[string]int{"of alice": 2, "of bob": 0, "0%": 1, "%": 1, "_": 0} {
		if hits, err := s.Search(ctx, "alice", "", text, 10); err != nil || len(hits) != want {
			t.Errorf("search %q = %+v, %v; want %d", text, hits, err, want)
		}
	}
	if _, err := s.Append(ctx, "carol", key.String(), Message{Role: RoleUser, Text: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a message into a foreign session: %v", err)
	}
	if err := s.End(ctx, "carol", key.String()); !errors.Is(err, ErrNotFound) {
		t.Errorf("ending a foreign session: %v", err)
	}
	if err := s.End(ctx, "alice", key.String()); err != nil {
		t.Fatal(err)
	}
	if hits, err := s.Search(ctx, "alice", "", "of alice", 10); err != nil || len(hits) != 0 {
		t.Errorf("an ended session still has %+v, %v", hits, err)
	}
}

func TestALabelledMessageTaintsItsSession(t *testing.T) {
	ctx, s := context.Background(), newStore(t)
	key := Key{"main", "hook:mail"}
	if _, err := s.Open(ctx, "t", key, "hook"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(ctx, "t", key.String(), Message{Role: RoleEvent, Text: "x", Label: "untrusted:email"}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, "t", key.String()); err != nil || got.Label != "untrusted:email" {
		t.Errorf("session = %+v, %v", got, err)
	}
}

func TestRunsEndOnceAndAreAbandoned(t *testing.T) {
	ctx, s := context.Background(), newStore(t)
	for _, id := range []string{"a", "b"} {
		if err := s.BeginRun(ctx, "t", Run{ID: id, Session: "child", Parent: "parent"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.EndRun(ctx, "t", "a", RunDone, "fine"); err != nil {
		t.Fatal(err)
	}
	if err := s.EndRun(ctx, "t", "a", RunCancelled, "late"); err != nil {
		t.Fatal(err)
	}
	if err := s.AbandonRuns(ctx); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"a": RunDone, "b": RunUnknown} {
		if r, err := s.Run(ctx, "t", "parent", id); err != nil || r.State != want || r.Ended.IsZero() {
			t.Errorf("run %s = %+v, %v; want %s", id, r, err, want)
		}
	}
	if _, err := s.Run(ctx, "t", "other", "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another session's run: %v", err)
	}
}
