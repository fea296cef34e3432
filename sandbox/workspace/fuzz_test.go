package workspace

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
)

// Whatever the name, what comes back is from inside, and no message says
// where inside is.
func FuzzNames(f *testing.F) {
	fs, dir := open(f, Options{})
	h := newHostile(f, fs, dir)
	h.link("../out", "up")
	h.link(h.out, "abs")
	h.link("/proc/self/root", "root")
	h.link("/workspace/sub", "inner")
	h.link("sub/..", "self")
	for _, s := range []string{"file", "sub/../file", "/workspace/file", "up/secret", "abs/secret", "root" + h.out + "/secret", "inner/../file",
		"self/self/up/dir/secret", "..", ".", "/", "", "//workspace//.//file", "file/", "up/../file", "a\x00b", strings.Repeat("self/", 50) + "file"} {
		f.Add(s)
	}
	top := filepath.Dir(dir)
	f.Fuzz(func(t *testing.T, name string) {
		ctx := context.Background()
		data, _, rerr := fs.Read(ctx, name, 0)
		if bytes.Contains(data, []byte(canary)) {
			t.Fatalf("%q shows the outside", name)
		}
		_, serr := fs.Stat(ctx, name)
		list, lerr := fs.List(ctx, name, 0)
		for _, e := range list {
			if e.Name == "secret" {
				t.Fatalf("%q lists the outside", name)
			}
		}
		werr := fs.Apply(ctx, []sandbox.Change{{Path: name, Data: []byte("x"), Old: []byte(canary)}})
		if werr == nil {
			t.Fatalf("%q changed the outside", name)
		}
		for _, err := range []error{rerr, serr, lerr, werr} {
			if err != nil && strings.Contains(err.Error(), top) && !strings.Contains(name, top) {
				t.Fatalf("%q: the host path is in %q", name, err)
			}
		}
		if _, err := os.Stat(filepath.Join(h.out, "x")); err == nil {
			t.Fatal("a file was made outside")
		}
	})
}
