package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestPlace(t *testing.T) {
	for in, want := range map[string]string{
		"./bin/sh": "usr/bin/sh", "./lib/x86_64-linux-gnu/libc.so.6": "usr/lib/x86_64-linux-gnu/libc.so.6", "./usr/bin/id": "usr/bin/id",
		"./bin": "", "./": "", "./usr/share/doc/x/copyright": "", "./dev/null": "", "../../etc/passwd": "etc/passwd", "./root/.ssh/id": "", "/sbin/init": "usr/sbin/init",
	} {
		got, keep := place(in)
		if keep != (want != "") || got != want {
			t.Errorf("%s goes to %q (%v), not %q", in, got, keep, want)
		}
	}
}

// TestLayerDropsWhatMustNotBe feeds a package with set-uid files, devices and
// names that climb.
func TestLayerDropsWhatMustNotBe(t *testing.T) {
	var pkg bytes.Buffer
	tw := tar.NewWriter(&pkg)
	for _, h := range []*tar.Header{
		{Name: "./bin/su", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 2, Uid: 1000},
		{Name: "./dev/sda", Typeflag: tar.TypeBlock, Mode: 0o666}, {Name: "./usr/pipe", Typeflag: tar.TypeFifo, Mode: 0o666},
		{Name: "../../../escape", Typeflag: tar.TypeReg, Mode: 0o644}, {Name: "./usr/bin/hard", Typeflag: tar.TypeLink, Linkname: "./bin/su"},
		{Name: "./usr/bin/stray", Typeflag: tar.TypeLink, Linkname: "./etc/shadow"},
	} {
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(tw, "su"); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	l := &layer{tw: tar.NewWriter(&out), seen: map[string]bool{}}
	if err := errors.Join(tw.Close(), l.base(), l.copy(tar.NewReader(&pkg)), l.files(nil), l.tw.Close()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]*tar.Header{}
	for tr := tar.NewReader(&out); ; {
		h, err := tr.Next()
		if err != nil {
			break
		}
		seen[strings.TrimSuffix(h.Name, "/")] = h
		if h.Mode&0o6000 != 0 || h.Uid != 0 || h.Typeflag == tar.TypeBlock || h.Typeflag == tar.TypeFifo || strings.Contains(h.Name, "..") {
			t.Errorf("%+v", h)
		}
	}
	if seen["usr/bin/su"] == nil || seen["usr/bin/hard"] == nil || seen["usr/bin/stray"] != nil || seen["etc/passwd"] == nil || seen["bin"].Linkname != "usr/bin" {
		t.Errorf("%v", seen)
	}
}

func TestNameFollowsTheRecipe(t *testing.T) {
	n := Maker{}.Name()
	if !strings.HasPrefix(n, "chitin-sandbox:") || n != (Maker{}).Name() {
		t.Fatal(n)
	}
}
