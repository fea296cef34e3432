package runtime_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/runtime"
	"github.com/chitin-sh/chitin/secrets/store"
)

// vars is an environment that a test can change.
type vars struct {
	mu sync.Mutex
	m  map[string]string
}

func (v *vars) get(k string) (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, ok := v.m[k]
	return s, ok
}

func (v *vars) set(k, s string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.m[k] = s
}

func ref(source, provider, id string) secrets.Field {
	return secrets.RefField(secrets.Ref{Source: source, Provider: provider, ID: id})
}

func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func newRuntime(t *testing.T, cfg secrets.Config, o runtime.Options) *runtime.Runtime {
	t.Helper()
	r, err := runtime.New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEverySource(t *testing.T) {
	dir := stateDir(t)
	if err := securefile.Create(dir+"/gateway.token", []byte("token-of-the-gateway\n")); err != nil {
		t.Fatal(err)
	}
	if err := securefile.Create(dir+"/s.json", []byte(`{"a":{"b/c":["x","from json"]}}`)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/ask", []byte("#!/bin/sh\ncat >/dev/null\necho '{\"protocolVersion\":1,\"values\":{\"k\":\"from a program\"}}'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	env := &vars{m: map[string]string{"TOK": " from env "}}
	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Set(t.Context(), "", "mail", store.Secret, secrets.NewValue("from the store")); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := secrets.Config{Providers: map[string]secrets.ProviderConfig{
		"j": {Source: "file", Path: dir + "/s.json"},
		"x": {Source: "exec", Command: dir + "/ask", PassEnv: []string{"PATH"}, Env: map[string]string{"PATH": "/usr/bin:/bin"}},
	}}
	r := newRuntime(t, cfg, runtime.Options{StateDir: dir, LookupEnv: env.get})
	snap, failures := r.ResolveAll(t.Context(), []runtime.Need{
		{Path: "gateway.auth.token", Field: ref("file", "state", "gateway.token"), Required: true},
		{Path: "a.env", Field: ref("env", "", "TOK"), Required: true},
		{Path: "a.json", Field: ref("file", "j", "/a/b~1c/1"), Required: true},
		{Path: "a.exec", Field: ref("exec", "x", "k"), Required: true},
		{Path: "a.store", Field: ref("store", "", "mail"), Required: true},
		{Path: "a.literal", Field: secrets.LiteralField("plain"), Required: true},
		{Path: "a.absent"},
	})
	if len(failures) > 0 {
		t.Fatal(failures)
	}
	for path, want := range map[string]string{"gateway.auth.token": "token-of-the-gateway", "a.env": "from env", "a.json": "from json", "a.exec": "from a program", "a.store": "from the store", "a.literal": "plain"} {
		if v, ok := snap.Get(path); !ok || v.Reveal() != want {
			t.Errorf("%s: %q", path, v.Reveal())
		}
	}
	if _, ok := snap.Get("a.absent"); ok {
		t.Error("an absent field has a value")
	}
	if len(snap.Values()) != 6 {
		t.Errorf("%d values", len(snap.Values()))
	}
}

func TestFailuresNameFieldAndFix(t *testing.T) {
	dir := stateDir(t)
	if err := os.WriteFile(dir+"/open.json", []byte(`{"a":"b"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	env := &vars{m: map[string]string{"MARK": "__OPENCLAW_REDACTED__", "HAVE": "x"}}
	cfg := secrets.Config{Providers: map[string]secrets.ProviderConfig{
		"few":  {Source: "env", Allowlist: []string{"OTHER"}},
		"none": {Source: "env", Allowlist: []string{}},
		"open": {Source: "file", Path: dir + "/open.json"},
	}}
	r := newRuntime(t, cfg, runtime.Options{StateDir: dir, LookupEnv: env.get})
	for code, f := range map[string]secrets.Field{
		secrets.CodeNotFound:          ref("env", "", "MISSING"),
		secrets.CodeDenied:            ref("env", "few", "HAVE"),
		secrets.CodeDenied + " none":  ref("env", "none", "HAVE"),
		secrets.CodeNotConfigured:     ref("exec", "vault", "x"),
		secrets.CodeInvalid:           ref("file", "few", "/x"),
		secrets.CodePathInsecure:      ref("file", "open", "/a"),
		secrets.CodePlaceholder:       ref("env", "", "MARK"),
		secrets.CodeNotFound + " st":  ref("store", "", "nothing"),
		secrets.CodeNotFound + " fil": ref("file", "state", "nothing"),
		secrets.CodeRefInvalid:        ref("env", "", "lower"),
	} {
		snap, failures := r.ResolveAll(t.Context(), []runtime.Need{{Path: "some.field", Field: f, Required: true}})
		if len(failures) != 1 {
			t.Errorf("%s: %v", code, failures)
			continue
		}
		p := failures[0].Problem()
		if !strings.HasPrefix(code, failures[0].Code) || p.Path != "some.field" || p.Hint == "" || p.Warning {
			t.Errorf("%s: got %s %+v", code, failures[0].Code, p)
		}
		if _, ok := snap.Get("some.field"); ok {
			t.Errorf("%s: has a value all the same", code)
		}
	}
}

func TestReloadKeepsLastGood(t *testing.T) {
	env := &vars{m: map[string]string{"A": "one", "B": "bee"}}
	var epochs []uint64
	r := newRuntime(t, secrets.Config{}, runtime.Options{LookupEnv: env.get, OnChange: func(s *runtime.Snapshot) { epochs = append(epochs, s.Epoch()) }})
	needs := []runtime.Need{{Path: "a", Field: ref("env", "", "A"), Required: true}, {Path: "b", Field: ref("env", "", "B")}, {Path: "c", Field: ref("env", "", "C")}}
	load := func() []runtime.Failure { _, f := r.Load(t.Context(), needs); return f }
	check := func(step, a string, epoch uint64) {
		t.Helper()
		if v, _ := r.Current().Get("a"); v.Reveal() != a || r.Current().Epoch() != epoch {
			t.Errorf("%s: a = %q, epoch %d", step, v.Reveal(), r.Current().Epoch())
		}
	}
	if f := load(); len(f) != 1 || f[0].Required {
		t.Fatalf("start: %v", f)
	}
	check("start", "one", 1)
	load()
	check("no change", "one", 1)
	env.set("A", "two")
	load()
	check("rotated", "two", 2)
	env.set("A", "")
	if f := load(); len(f) == 0 {
		t.Error("a failing reload is silent")
	}
	check("required gone", "two", 2)
	env.set("A", "three")
	env.set("B", "")
	if f := load(); len(f) != 2 || !f[0].Required {
		t.Errorf("an optional secret that was lost: %v", f)
	}
	check("optional lost", "two", 2)
	env.set("B", "bee")
	load()
	check("back", "three", 3)
	if !slices.Equal(epochs, []uint64{1, 2, 3}) {
		t.Errorf("epochs %v", epochs)
	}
}

func TestReloadIsAtomic(t *testing.T) {
	env := &vars{m: map[string]string{"A": "0", "B": "0"}}
	pair := func(k string) (string, bool) { return env.get("A") }
	r := newRuntime(t, secrets.Config{}, runtime.Options{LookupEnv: pair})
	needs := []runtime.Need{{Path: "a", Field: ref("env", "", "A")}}
	r.Load(t.Context(), needs)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			env.set("A", strings.Repeat("x", 1+i%7))
			r.Load(ctx, needs)
		}
	})
	last := uint64(0)
	for range 20000 {
		s := r.Current()
		if v, ok := s.Get("a"); !ok || v.IsZero() || s.Epoch() < last {
			t.Fatal("a reader saw a half-made snapshot")
		}
		last = s.Epoch()
	}
	cancel()
	wg.Wait()
}
