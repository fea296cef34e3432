package pins

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/mcpclient"
)

func version(t *testing.T, description string) mcpclient.Version {
	t.Helper()
	d := mcpclient.Definition{Name: "add", Description: description, Input: json.RawMessage(`{"type": "object"}`)}
	digest, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return mcpclient.Version{Digest: digest, Definition: d, At: time.UnixMilli(1700000000000), By: "token:me"}
}

func TestPinsLast(t *testing.T) {
	dir := t.TempDir()
	open := func() (*Store, *store.DB) {
		db, err := store.Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return New(db), db
	}
	s, db := open()
	seen, pinned := version(t, "another"), version(t, "one")
	list := []mcpclient.Pin{
		{Tenant: "a", Server: "srv", Tool: "add", Seen: seen, Pinned: &pinned, Present: true},
		{Tenant: "a", Server: "srv", Tool: "gone", Seen: seen},
		{Tenant: "b", Server: "srv", Tool: "add", Seen: seen, Present: true},
	}
	if err := s.Put(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if first, err := s.FirstContact(t.Context(), "a", "srv", time.Now()); !first || err != nil {
		t.Error(first, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s, db = open()
	defer func() { _ = db.Close() }()
	got, err := s.All(t.Context())
	if err != nil || len(got) != 3 {
		t.Fatalf("%d %v", len(got), err)
	}
	for i, want := range []mcpclient.State{mcpclient.StateChanged, mcpclient.StateGone, mcpclient.StateNew} {
		if got[i].State() != want || !got[i].Same(list[i]) {
			t.Errorf("%d: %s %+v", i, got[i].State(), got[i])
		}
	}
	if p := got[0].Pinned; p.By != "token:me" || !p.At.Equal(pinned.At) || p.Definition.Description != "one" {
		t.Errorf("%+v", p)
	}
	if first, err := s.FirstContact(t.Context(), "a", "srv", time.Now()); first || err != nil {
		t.Error(first, err)
	}

	// A definition that was edited in the database does not keep its approval.
	approved := list[2]
	approved.Pinned = &seen
	if err := s.Put(t.Context(), []mcpclient.Pin{approved}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE mcp_tools SET pinned = replace(pinned, 'another', 'a third') WHERE tenant = 'b'`); err != nil {
		t.Fatal(err)
	}
	got, err = s.All(t.Context())
	if err != nil || got[2].State() != mcpclient.StateChanged {
		t.Errorf("%v %s", err, got[2].State())
	}
}
