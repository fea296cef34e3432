package tool

import (
	"context"
	"errors"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
)

// everywhere is a Files that answers for any path, as a box's own would.
type everywhere struct{ sandbox.Files }

func (everywhere) Read(context.Context, string, int64) ([]byte, sandbox.FileInfo, error) {
	return []byte("x"), sandbox.FileInfo{}, nil
}
func (everywhere) Write(context.Context, string, []byte) (bool, error) { return true, nil }
func (everywhere) Stat(context.Context, string) (sandbox.FileInfo, error) {
	return sandbox.FileInfo{}, nil
}
func (everywhere) List(context.Context, string, int) ([]sandbox.FileInfo, error) { return nil, nil }
func (everywhere) Remove(context.Context, string) error                          { return nil }
func (everywhere) Rename(context.Context, string, string) error                  { return nil }
func (everywhere) Apply(context.Context, []sandbox.Change) error                 { return nil }

func TestToolsSeeTheWorkspaceOnly(t *testing.T) {
	f := confined{Files: everywhere{}, workdir: "/workspace"}
	ctx := context.Background()
	for p, inside := range map[string]bool{
		"a": true, "": true, ".": true, "a/../b": true, "/workspace": true, "/workspace/a": true, "//workspace/a": true, "/workspace/../workspace/a": true,
		"..": false, "../a": false, "a/../../b": false, "/": false, "/etc/passwd": false, "/workspace/..": false, "/workspace2/a": false, "/proc/self/root": false,
	} {
		_, _, rerr := f.Read(ctx, p, 0)
		_, werr := f.Write(ctx, p, nil)
		_, serr := f.Stat(ctx, p)
		_, lerr := f.List(ctx, p, 0)
		for op, err := range map[string]error{
			"read": rerr, "write": werr, "stat": serr, "list": lerr, "remove": f.Remove(ctx, p), "from": f.Rename(ctx, p, "a"), "to": f.Rename(ctx, "a", p),
			"apply": f.Apply(ctx, []sandbox.Change{{Path: "a"}, {Path: p}}),
		} {
			if refused := errors.Is(err, sandbox.ErrEscapes); refused == inside {
				t.Errorf("%s %q: %v", op, p, err)
			}
		}
	}
}
