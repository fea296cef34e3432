package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	zk "github.com/zalando/go-keyring"

	"github.com/chitin-sh/chitin/secrets"
)

const secret = "a-secret-value-that-must-not-be-seen"

func open(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		o.Dir = dir
	}
	o.workFactor = 10
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func set(t *testing.T, s *Store, tenant, name string, kind Kind, v string) {
	t.Helper()
	if err := s.Set(t.Context(), tenant, name, kind, secrets.NewValue(v)); err != nil {
		t.Fatal(err)
	}
}

func lease(t *testing.T, s *Store, tenant, name string) string {
	t.Helper()
	v, err := s.Lease(t.Context(), tenant, name)
	if err != nil {
		t.Fatal(err)
	}
	return v.Reveal()
}

func TestKeepers(t *testing.T) {
	zk.MockInit()
	env := func(k string) string { return map[string]string{PassphraseVar: "correct horse battery"}[k] }
	for _, key := range []string{"file", "keyring", "passphrase"} {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Dir: dir, Config: secrets.StoreConfig{Key: key}, Getenv: env}
		set(t, open(t, o), "", "mail", Secret, secret)
		again := open(t, o)
		if got := lease(t, again, "", "mail"); got != secret {
			t.Errorf("%s: read back %q", key, got)
		}
		assertNothingOnDisk(t, dir, key == "file")
	}
}

// assertNothingOnDisk reads every file as a thief would. Only a plain key
// file may hold the key.
func assertNothingOnDisk(t *testing.T, dir string, keyFile bool) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, clear := range []string{secret, "mail", "AGE-SECRET" + "-KEY"} {
			if bytes.Contains(data, []byte(clear)) && !(keyFile && e.Name() == KeyFileName) {
				t.Errorf("%s shows %q", e.Name(), clear)
			}
		}
		if st, err := e.Info(); err == nil && st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", e.Name(), st.Mode())
		}
	}
}

func TestKinds(t *testing.T) {
	s := open(t, Options{})
	set(t, s, "", "pw", Secret, secret)
	set(t, s, "", "user", Variable, "bob")
	if _, err := s.Get(t.Context(), "", "pw"); !errors.Is(err, ErrWriteOnly) {
		t.Errorf("a secret comes out: %v", err)
	}
	if v, err := s.Get(t.Context(), "", "user"); err != nil || v.Reveal() != "bob" {
		t.Errorf("variable: %v %v", v, err)
	}
	set(t, s, "", "pw", Variable, "other")
	if _, err := s.Get(t.Context(), "", "pw"); !errors.Is(err, ErrWriteOnly) {
		t.Errorf("a secret was turned into a variable: %v", err)
	}
	if _, err := s.Get(t.Context(), "", "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
}

func TestTenantsAreApart(t *testing.T) {
	s := open(t, Options{})
	set(t, s, "a", "k", Secret, "of a")
	set(t, s, "b", "k", Secret, "of b")
	if lease(t, s, "a", "k") != "of a" || lease(t, s, "b", "k") != "of b" {
		t.Error("tenants share a value")
	}
	if _, err := s.Lease(t.Context(), "", "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no tenant: %v", err)
	}
	items, err := s.List(t.Context(), "a")
	if err != nil || len(items) != 1 {
		t.Errorf("list %v %v", items, err)
	}
	if err := s.Remove(t.Context(), "b", "k"); err != nil {
		t.Error(err)
	}
	if lease(t, s, "a", "k") != "of a" {
		t.Error("removing b's removed a's")
	}
}

func TestRowsCannotBeMovedOrForged(t *testing.T) {
	for name, query := range map[string]string{
		"swapped bodies": "UPDATE secret_items SET body = (SELECT body FROM secret_items b WHERE b.name <> secret_items.name), tag = (SELECT tag FROM secret_items b WHERE b.name <> secret_items.name)",
		"damaged body":   "UPDATE secret_items SET body = x'00' || body",
		"damaged tag":    "UPDATE secret_items SET tag = x'00'",
	} {
		s := open(t, Options{})
		set(t, s, "", "one", Secret, "1")
		set(t, s, "", "two", Secret, "2")
		if _, err := s.db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
		// A swap row by row leaves one of the two as it was.
		_, one := s.Lease(t.Context(), "", "one")
		_, two := s.Lease(t.Context(), "", "two")
		if !errors.Is(one, ErrDamaged) && !errors.Is(two, ErrDamaged) {
			t.Errorf("%s: %v, %v", name, one, two)
		}
	}
}

func TestRotate(t *testing.T) {
	s := open(t, Options{})
	for i := range 5 {
		set(t, s, fmt.Sprint(i%2), fmt.Sprint("n", i), Secret, fmt.Sprint("v", i))
	}
	before := s.keys.id.String()
	if err := s.RotateKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.keys.id.String() == before {
		t.Error("the key is the same")
	}
	s.keys = nil
	for i := range 5 {
		if lease(t, s, fmt.Sprint(i%2), fmt.Sprint("n", i)) != fmt.Sprint("v", i) {
			t.Errorf("n%d is lost", i)
		}
	}
}

func TestLostKeyIsNotReplaced(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	set(t, open(t, Options{Dir: dir}), "", "k", Secret, secret)
	if err := os.Remove(filepath.Join(dir, KeyFileName)); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Dir: dir})
	if err := s.Set(t.Context(), "", "other", Secret, secrets.NewValue("x")); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("got %v", err)
	}
}

func TestLengthIsHidden(t *testing.T) {
	s := open(t, Options{})
	set(t, s, "", "short", Secret, "1234")
	set(t, s, "", "long", Secret, strings.Repeat("x", 150))
	rows, err := s.db.QueryContext(t.Context(), "SELECT length(body) FROM secret_items")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var sizes []int
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	if slices.Max(sizes)-slices.Min(sizes) > 4 {
		t.Errorf("sizes %v tell the lengths", sizes)
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, Options{})
	for name, v := range map[string]string{"": "x", "a b": "x", "../x": "x", "empty": "", "big": strings.Repeat("x", secrets.MaxValueBytes+1)} {
		if err := s.Set(t.Context(), "", name, Secret, secrets.NewValue(v)); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
	for _, c := range []secrets.StoreConfig{{Key: "passphrase"}, {Key: "magic"}} {
		if _, err := Open(t.Context(), Options{Dir: t.TempDir(), Config: c, Getenv: func(string) string { return "short" }}); err == nil {
			t.Errorf("%v is accepted", c)
		}
	}
}

func TestWrongPassphrase(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pass := "correct horse battery"
	o := Options{Dir: dir, Config: secrets.StoreConfig{Key: "passphrase"}, Getenv: func(string) string { return pass }}
	set(t, open(t, o), "", "k", Secret, secret)
	pass = "wrong horse battery"
	if _, err := open(t, o).Lease(t.Context(), "", "k"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
