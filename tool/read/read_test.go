package read_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/read"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

const pixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"

func TestKindsOfFiles(t *testing.T) {
	w := tooltest.New(t, read.Tool{})
	ctx := context.Background()
	w.Put(t, "pic.png", pixel)
	w.Put(t, "bin", "a\x00b")
	w.Put(t, "latin1", "caf\xe9")
	w.Put(t, "big", "")
	if err := os.Truncate(filepath.Join(w.Dir, "big"), 33<<20); err != nil {
		t.Fatal(err)
	}
	res, err := w.Call(ctx, "read", `{"path":"pic.png"}`)
	if err != nil || len(res.Content) != 2 || res.Content[1].MimeType != "image/png" || string(res.Content[1].Data) != pixel {
		t.Errorf("image: %+v %v", res, err)
	}
	if res, err = w.Call(ctx, "read", `{"path":"latin1"}`); err != nil || res.Content[0].Text != "caf\uFFFD" {
		t.Errorf("not UTF-8: %+v %v", res, err)
	}
	for path, want := range map[string]string{
		"bin": "bin is a binary file (3 bytes). Use exec to look into it.",
		"big": "big is 33 MiB, more than read looks at. Use exec with head, tail or sed.",
	} {
		if _, err := w.Call(ctx, "read", map[string]any{"path": path}); err == nil || err.Error() != want || tool.AsError(err).Kind != tool.KindInput {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// No message may tell where on the host the workspace lies.
func TestMessagesNameTheBoxOnly(t *testing.T) {
	w := tooltest.New(t, read.Tool{})
	w.Put(t, "dir/x", "")
	if err := os.Symlink("/etc/passwd", filepath.Join(w.Dir, "out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(w.Dir, "dir/x"), filepath.Join(w.Dir, "twin")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"none", "dir", "out", "twin", "dir/x/y", "../up", "/etc/shadow", "a\x00b", strings.Repeat("n", 300)} {
		_, err := w.Call(context.Background(), "read", map[string]any{"path": p})
		if err == nil || strings.Contains(err.Error(), filepath.Dir(w.Dir)) {
			t.Errorf("%q: %v", p, err)
		}
	}
}
