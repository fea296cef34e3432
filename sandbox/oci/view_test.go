//go:build linux

package oci

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestHostViewShowsPrograms(t *testing.T) {
	v, err := HostView(64000, 64000)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(v.Binds, func(b Bind) bool { return b.Target == "/usr" }) {
		t.Error("/usr is missing")
	}
	for _, b := range v.Binds {
		for _, never := range []string{"/etc/shadow", "/etc/passwd", "/etc/ssh", "/root", "/home", "/var", "/run", "/boot", "/etc/ssl/private", "/proc", "/sys"} {
			if b.Target == never || b.Source == never || strings.HasPrefix(never, b.Source+"/") {
				t.Errorf("%s shows %s", b.Source, never)
			}
		}
	}
}

// image makes a directory that looks like an unpacked image.
func image(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "image")
	for _, d := range []string{"usr/bin", "etc", "opt"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte("evil:x:0:0::/:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// An image must not choose what /proc, /dev or the accounts are, and a link in
// it stays a link, resolved inside the box.
func TestImageViewKeepsItsOwnKernelDirectories(t *testing.T) {
	dir := image(t)
	for link, to := range map[string]string{"proc": "/tmp", "dev": "opt", "sys": "/", "bin": "usr/bin", "tmp": "/etc"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	v, err := ImageView(dir, 64000, 64000)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range v.Links {
		if slices.Contains([]string{"/proc", "/dev", "/sys", "/tmp"}, l.Path) {
			t.Errorf("the image replaces %s by %s", l.Path, l.Target)
		}
	}
	for _, b := range v.Binds {
		if b.Target == "/etc/passwd" || !strings.HasPrefix(b.Source, dir+"/") {
			t.Errorf("%s is shown at %s", b.Source, b.Target)
		}
	}
	if !slices.Contains(v.Links, Link{"usr/bin", "/bin"}) {
		t.Error("/bin is missing")
	}
}

func TestImageViewRefusesLinksToTheHost(t *testing.T) {
	dir := image(t)
	if err := os.RemoveAll(filepath.Join(dir, "etc")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "etc")); err != nil {
		t.Fatal(err)
	}
	if _, err := ImageView(dir, 64000, 64000); err == nil {
		t.Error("the host's /etc would be shown")
	}
	open := image(t)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := ImageView(open, 64000, 64000); err == nil {
		t.Error("an image that everybody can change is accepted")
	}
}
