package embedded

import (
	"os"
	"path/filepath"
	"testing"
)

func TestExtractWritesOnceAndRepairs(t *testing.T) {
	state := t.TempDir()
	path, err := extract(state, "p", []byte("program"))
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o555 {
		t.Fatalf("%v %v", fi, err)
	}
	again, err := extract(state, "p", []byte("program"))
	if err != nil || again != path {
		t.Fatal(again, err)
	}
	if fi2, err := os.Stat(path); err != nil || !os.SameFile(fi, fi2) {
		t.Fatal("an intact file was written again")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("tampered"), 0o555); err != nil {
		t.Fatal(err)
	}
	if _, err := extract(state, "p", []byte("program")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "program" {
		t.Fatalf("%q %v: tampering was not repaired", b, err)
	}
	other, err := extract(state, "p", []byte("newer"))
	if err != nil || other == path {
		t.Fatal("another version has the same name")
	}
}

func TestFallsBackToItself(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self, err = filepath.EvalSymlinks(self)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := find(t.TempDir(), "absent-program"); err != nil || got != self {
		t.Fatal(got, err)
	}
}
