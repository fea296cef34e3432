// Package tooltest runs tools in tests without an engine: over a workspace in
// a temporary directory and commands on the host. Its tickets are forged, so
// it must never be imported outside of tests.
package tooltest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unsafe"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/hostbox"
	"github.com/chitin-sh/chitin/sandbox/workspace"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Place is a place in box; host makes it elevated.
func Place(box sandbox.Box, host bool) sandbox.Place {
	var p sandbox.Place
	forge(&p, "ok", true)
	forge(&p, "host", host)
	forge(&p, "box", box)
	return p
}

// Grant permits one call of name to caller.
func Grant(name string, caller gateway.Caller) toolpolicy.Grant {
	var g toolpolicy.Grant
	forge(&g, "ok", true)
	forge(&g, "tool", name)
	forge(&g, "caller", caller)
	forge(&g, "surface", toolpolicy.SurfaceCLI)
	return g
}

// forge sets an unexported field: in a test that is the point.
func forge[T, V any](ticket *T, name string, value V) {
	f := reflect.ValueOf(ticket).Elem().FieldByName(name)
	if !f.IsValid() || f.Type() != reflect.TypeFor[V]() {
		panic(fmt.Sprintf("tooltest: %T has no such field %s", ticket, name))
	}
	*(*V)(unsafe.Pointer(f.UnsafeAddr())) = value
}

// World is a workspace, a box over it and the tools.
type World struct {
	Dir     string // the workspace on the host
	Box     *hostbox.Box
	Tools   *tool.Registry
	Session tool.Session
	Host    bool // place calls as elevated
	Emit    func(string, []byte)
	Caller  gateway.Caller
}

// New makes a world with tools in it; everything ends with the test.
func New(t testing.TB, tools ...tool.Tool) *World {
	t.Helper()
	top := t.TempDir()
	w := &World{
		Dir:     filepath.Join(top, "ws"),
		Session: tool.Session{Key: "agent:main:main", Agent: "main", Tenant: "default", Sandboxed: true},
	}
	if err := os.Mkdir(w.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := workspace.Open(w.Dir, workspace.Options{IntentDir: filepath.Join(top, "intents")})
	if err != nil {
		t.Fatal(err)
	}
	if w.Box, err = hostbox.New(hostbox.Options{Dir: w.Dir, Workdir: "/workspace", Files: files}); err != nil {
		t.Fatal(err)
	}
	if w.Tools, err = tool.NewRegistry(tools...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Box.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Call runs a tool as the corridor does: validate, then run.
func (w *World) Call(ctx context.Context, name string, args any) (tool.Result, error) {
	raw, ok := args.(string)
	if !ok {
		b, err := json.Marshal(args)
		if err != nil {
			return tool.Result{}, err
		}
		raw = string(b)
	}
	if err := w.Tools.Validate(name, json.RawMessage(raw)); err != nil {
		return tool.Result{}, err
	}
	t, _ := w.Tools.Get(name)
	return t.Run(ctx, &tool.Call{
		ID: "test", Args: json.RawMessage(raw), Grant: Grant(name, w.Caller), Place: Place(w.Box, w.Host),
		Session: w.Session, Emit: w.Emit,
	})
}

// Put writes a file of the workspace from the host.
func (w *World) Put(t testing.TB, name, data string) {
	t.Helper()
	p := filepath.Join(w.Dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Get reads a file of the workspace from the host.
func (w *World) Get(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
