package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/file"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := securefile.Create(path, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFile(t *testing.T) {
	doc := write(t, "s.json", `{"a":{"b":"hush","n":5,"l":["x","y"],"e":"","~/":"odd"}}`)
	bad := write(t, "bad.json", `{"a": hunter2secret`)
	one := write(t, "token", "  hush\n")
	open := write(t, "open", "x")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, id string
		p        file.Provider
		value    string
		code     string
	}{
		{"pointer", "/a/b", file.Provider{Path: doc}, "hush", ""},
		{"list", "/a/l/1", file.Provider{Path: doc}, "y", ""},
		{"escapes", "/a/~0~1", file.Provider{Path: doc}, "odd", ""},
		{"missing", "/a/x", file.Provider{Path: doc}, "", secrets.CodeNotFound},
		{"list end", "/a/l/2", file.Provider{Path: doc}, "", secrets.CodeNotFound},
		{"list sign", "/a/l/+1", file.Provider{Path: doc}, "", secrets.CodeNotFound},
		{"below a string", "/a/b/c", file.Provider{Path: doc}, "", secrets.CodeNotFound},
		{"number", "/a/n", file.Provider{Path: doc}, "", secrets.CodeInvalid},
		{"map", "/a", file.Provider{Path: doc}, "", secrets.CodeInvalid},
		{"empty", "/a/e", file.Provider{Path: doc}, "", secrets.CodeNotFound},
		{"no pointer", "a", file.Provider{Path: doc}, "", secrets.CodeRefInvalid},
		{"not JSON", "/a", file.Provider{Path: bad}, "", secrets.CodeInvalid},
		{"single", "value", file.Provider{Path: one, Single: true}, "hush", ""},
		{"single, other id", "x", file.Provider{Path: one, Single: true}, "", secrets.CodeRefInvalid},
		{"directory", "token", file.Provider{Dir: filepath.Dir(one), Single: true}, "hush", ""},
		{"directory, pointer", "/s.json/a/b", file.Provider{Dir: filepath.Dir(doc)}, "hush", ""},
		{"directory, parent", "..", file.Provider{Dir: filepath.Dir(one), Single: true}, "", secrets.CodeRefInvalid},
		{"directory, below", "a/b", file.Provider{Dir: filepath.Dir(one), Single: true}, "", secrets.CodeRefInvalid},
		{"directory, missing", "none", file.Provider{Dir: filepath.Dir(one), Single: true}, "", secrets.CodeNotFound},
		{"too open", "value", file.Provider{Path: open, Single: true}, "", secrets.CodePathInsecure},
		{"no file", "value", file.Provider{Path: one + "x", Single: true}, "", secrets.CodeNotFound},
	} {
		r := tc.p.Resolve(t.Context(), []string{tc.id})[tc.id]
		code, text := "", ""
		if r.Err != nil {
			code, text = r.Err.Code, r.Err.Message+r.Err.Fix
		}
		if r.Value.Reveal() != tc.value || code != tc.code || strings.Contains(text, "hunter2secret") {
			t.Errorf("%s: %q %s %s", tc.name, r.Value.Reveal(), code, text)
		}
	}
}

func FuzzPointer(f *testing.F) {
	f.Add(`{"a":["b"]}`, "/a/0")
	f.Fuzz(func(t *testing.T, doc, pointer string) {
		path := write(t, "f.json", doc)
		r := (&file.Provider{Path: path}).Resolve(t.Context(), []string{pointer})[pointer]
		if (r.Err == nil) == r.Value.IsZero() {
			t.Fatalf("neither value nor error, or both: %v", r.Err)
		}
	})
}
