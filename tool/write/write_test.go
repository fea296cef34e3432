package write_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/hostbox"
	"github.com/chitin-sh/chitin/sandbox/workspace"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/tooltest"
	"github.com/chitin-sh/chitin/tool/write"
)

func TestSpecialTargets(t *testing.T) {
	w := tooltest.New(t, write.Tool{})
	ctx := context.Background()
	w.Put(t, "one", "x")
	for _, link := range []func(old, new string) error{os.Link, os.Symlink} {
		_ = os.Remove(filepath.Join(w.Dir, "two"))
		if err := link(filepath.Join(w.Dir, "one"), filepath.Join(w.Dir, "two")); err != nil {
			t.Fatal(err)
		}
		// A hard link is replaced; a link to a host path leads outside.
		_, _ = w.Call(ctx, "write", `{"path":"two","content":"changed"}`)
		if w.Get(t, "one") != "x" {
			t.Fatal("the other name was changed")
		}
	}
	if _, err := w.Call(ctx, "write", `{"path":"one/below","content":"y"}`); tool.AsError(err).Code != "ENOTDIR" {
		t.Errorf("below a file: %v", err)
	}
	if res, err := w.Call(ctx, "write", `{"path":"empty","content":""}`); err != nil || res.Content[0].Text != "Successfully wrote 0 bytes to empty" {
		t.Errorf("empty file: %+v %v", res, err)
	}
}

func TestHugeTextsHaveNoDiff(t *testing.T) {
	w := tooltest.New(t, write.Tool{})
	w.Put(t, "big", strings.Repeat("old line\n", 300_000))
	res, err := w.Call(context.Background(), "write", map[string]any{"path": "big", "content": strings.Repeat("new line\n", 300_000)})
	if err != nil {
		t.Fatal(err)
	}
	if d := res.Details.(write.Details); !d.Changed || d.Created || len(d.Diff)+len(d.Patch) > 200 || d.FirstChangedLine != 1 {
		t.Errorf("diff of %d, patch of %d bytes, %+v", len(d.Diff), len(d.Patch), d.FirstChangedLine)
	}
}

func TestReadOnlyWorkspace(t *testing.T) {
	dir := t.TempDir()
	files, err := workspace.Open(dir, workspace.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = files.Close() }()
	box, err := hostbox.New(hostbox.Options{Dir: dir, Workdir: "/workspace", Files: files})
	if err != nil {
		t.Fatal(err)
	}
	_, err = write.Tool{}.Run(context.Background(), &tool.Call{Args: []byte(`{"path":"a","content":"b"}`), Place: tooltest.Place(box, false)})
	if e := tool.AsError(err); !errors.Is(err, sandbox.ErrReadOnly) || e.Code != "EROFS" || e.Public != "The workspace is read-only: a cannot be changed." {
		t.Errorf("%v", err)
	}
}

func TestWithoutAPlaceNothingRuns(t *testing.T) {
	_, err := write.Tool{}.Run(context.Background(), &tool.Call{Args: []byte(`{"path":"a","content":"b"}`)})
	if tool.AsError(err).Kind != tool.KindForbidden {
		t.Errorf("no place: %v", err)
	}
	_, err = write.Tool{}.Run(context.Background(), &tool.Call{Args: []byte(`{"path":"a","content":"b"}`), Place: tooltest.Place(nil, false)})
	if tool.AsError(err).Kind != tool.KindUnavail {
		t.Errorf("no box: %v", err)
	}
}
