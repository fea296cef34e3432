package applypatch

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/tool/tooltest"
)

func wrap(body string) string { return "*** Begin Patch\n" + body + "*** End Patch" }

func TestUpdate(t *testing.T) {
	for name, c := range map[string]struct{ text, patch, want string }{
		"replace":         {"a\nb\nc\n", "@@\n a\n-b\n+B\n c\n", "a\nB\nc\n"},
		"without @@":      {"a\nb\n", "-a\n+A\n", "A\nb\n"},
		"two chunks":      {"a\nb\nc\nd\n", "@@\n-a\n+1\n@@\n-d\n+4\n", "1\nb\nc\n4\n"},
		"anchor":          {"f1:\n x\nf2:\n x\n", "@@ f2:\n- x\n+ y\n", "f1:\n x\nf2:\n y\n"},
		"anchor, insert":  {"a\nb\n", "@@ a\n+new\n", "a\nnew\nb\n"},
		"insert at end":   {"a\n", "@@\n+new\n", "a\nnew\n"},
		"end of file":     {"x\ny\nx\n", "@@\n-x\n+z\n*** End of File\n", "x\ny\nz\n"},
		"no final end":    {"a\nb", "@@\n-a\n+A\n", "A\nb"},
		"crlf":            {"a\r\nb\r\n", "@@\n a\n-b\n+B\n+C\n", "a\r\nB\r\nC\r\n"},
		"loose spaces":    {"\tif x {  \n\ty()\n", "@@\n if x {\n-y()\n+z()\n", "\tif x {  \nz()\n"},
		"curly quotes":    {"say “hi”\nx\n", "@@\n say \"hi\"\n-x\n+y\n", "say “hi”\ny\n"},
		"blank kept line": {"a\n\nb\n", "@@\n a\n\n-b\n+B\n", "a\n\nB\n"},
		"delete all":      {"a\n", "@@\n-a\n", ""},
		"from empty":      {"", "@@\n+a\n", "a\n"},
		"blank after":     {"a\nb\n", "@@\n-a\n+A\n\n@@\n-b\n+B\n", "A\nB\n"},
	} {
		ops, err := Parse(wrap("*** Update File: f\n" + c.patch))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := Update("f", c.text, ops[0].Chunks); err != nil || got != c.want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

func TestBrokenPatches(t *testing.T) {
	for patch, want := range map[string]string{
		"x":                                 "The first line of the patch must be '*** Begin Patch'",
		"*** Begin Patch":                   "The last line of the patch must be '*** End Patch'",
		wrap(""):                            "No files were modified",
		wrap("hello\n"):                     "Invalid patch hunk on line 2: 'hello' is not a valid hunk header.",
		wrap("*** Add File: \n"):            "Invalid patch hunk on line 2: '*** Add File:' is not a valid hunk header",
		wrap("*** Add File: a\nplain\n"):    "Invalid patch hunk on line 3: every line of an added file begins with '+'",
		wrap("*** Update File: a\n"):        "Invalid patch hunk on line 3: update of 'a' has no changes",
		wrap("*** Update File: a\n@@\n"):    "Invalid patch hunk on line 4: the chunk has no lines",
		wrap("*** Update File: a\n@@\nx\n"): "Invalid patch hunk on line 4: unexpected line 'x'",
		wrap("*** Update File: a\n*** Move to: \n@@\n-a\n"): "Invalid patch hunk on line 3: the path is missing",
	} {
		if _, err := Parse(patch); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", patch, err)
		}
	}
	if ops, err := Parse("<<'EOF'\n" + wrap("*** Delete File: a\n") + "\nEOF\n"); err != nil || len(ops) != 1 {
		t.Errorf("here-document: %v %v", ops, err)
	}
}

func TestPatchOfSeveralFiles(t *testing.T) {
	w := tooltest.New(t, Tool{})
	w.Put(t, "a", "1\n")
	w.Put(t, "script.sh", "run\n")
	if err := os.Chmod(filepath.Join(w.Dir, "script.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	call := func(body string) error {
		_, err := w.Call(context.Background(), "apply_patch", map[string]any{"input": wrap(body)})
		return err
	}
	// One operation fails: nothing of the patch may stay.
	if err := call("*** Add File: n/e/w\n+x\n*** Update File: a\n@@\n-1\n+2\n*** Delete File: absent\n"); err == nil || w.Get(t, "a") != "1\n" {
		t.Errorf("half a patch: %v %q", err, w.Get(t, "a"))
	}
	if _, err := os.Stat(filepath.Join(w.Dir, "n")); err == nil {
		t.Error("a directory of the failed patch stays")
	}
	// Operations of one patch build on each other.
	if err := call("*** Add File: b\n+one\n*** Update File: b\n@@\n-one\n+two\n*** Update File: a\n*** Move to: c\n@@\n-1\n+3\n*** Add File: a\n+again\n"); err != nil {
		t.Fatal(err)
	}
	if w.Get(t, "a")+w.Get(t, "b")+w.Get(t, "c") != "again\ntwo\n3\n" {
		t.Errorf("a %q b %q c %q", w.Get(t, "a"), w.Get(t, "b"), w.Get(t, "c"))
	}
	if err := call("*** Update File: script.sh\n*** Move to: bin/script\n"); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(w.Dir, "bin/script")); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("the moved script: %v %v", st, err)
	}
	for _, body := range []string{
		"*** Update File: b\n*** Move to: c\n", "*** Add File: b\n+x\n", "*** Update File: ./b\n@@\n-two\n+x\n*** Update File: b\n@@\n-two\n+y\n",
		"*** Delete File: /etc/hosts\n", "*** Update File: b\n*** Move to: ../out\n", "*** Delete File: bin\n",
	} {
		if err := call(body); err == nil {
			t.Errorf("%q was applied", body)
		}
	}
	if w.Get(t, "b") != "two\n" || w.Get(t, "c") != "3\n" {
		t.Error("a refused patch changed a file")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(wrap("*** Add File: a\n+x\n*** Update File: b\n*** Move to: c\n@@ ctx\n a\n-b\n+c\n*** End of File\n*** Delete File: d\n"), "a\nb\n")
	f.Add(wrap("*** Update File: b\n-b\n+c\n"), "x\r\nb\r\n")
	f.Fuzz(func(t *testing.T, patch, text string) {
		ops, err := Parse(patch)
		if err != nil {
			return
		}
		for _, op := range ops {
			if op.Path == "" || strings.ContainsAny(op.Path, "\n") {
				t.Fatalf("path %q", op.Path)
			}
			_, _ = Update(op.Path, text, op.Chunks)
		}
	})
}

// A patch made from two versions of a text leads from one to the other.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,3}[0-9]{4}`), 1, 15).Draw(t, "lines")
		at := rapid.IntRange(0, len(lines)-1).Draw(t, "at")
		old := strings.Join(lines, "\n") + "\n"
		if strings.Count(old, lines[at]) != 1 {
			return // not unique
		}
		var b strings.Builder
		b.WriteString("*** Update File: f\n@@\n")
		if at > 0 {
			b.WriteString(" " + lines[at-1] + "\n")
		}
		b.WriteString("-" + lines[at] + "\n+new\n+lines\n")
		ops, err := Parse(wrap(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Update("f", old, ops[0].Chunks)
		if want := strings.Replace(old, lines[at]+"\n", "new\nlines\n", 1); err != nil || got != want {
			t.Fatalf("%q %v, want %q", got, err, want)
		}
	})
}
