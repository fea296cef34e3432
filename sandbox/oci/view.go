// Package oci says what of this machine a box of an embedded backend sees: a
// read-only minimum of the host (programs, libraries, a few files of /etc) or
// a directory that holds an image, and writes it down as an OCI bundle for
// runtimes that take one. What is not listed here is not in the box.
package oci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/sandbox"
)

// Bind is a piece of the host, always read-only.
type Bind struct{ Source, Target string }

// Link is a symbolic link in the root.
type Link struct{ Target, Path string }

// File is a generated file in the root.
type File struct {
	Path    string
	Mode    uint32
	Content string
}

// View is the file system of a box before its mounts and its scratch. Paths
// inside are absolute; parents come before children.
type View struct {
	Dirs  []string
	Binds []Bind
	Links []Link
	Files []File
}

// Hostname is what every box is called.
const Hostname = "chitin"

// programDirs are shown whole, or as the links that they are on the host.
func programDirs() []string {
	return []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"}
}

// etcFiles are what programs need of the host's configuration to find
// libraries, certificates, time zones and terminals. Accounts, names,
// credentials and anything about services are not among them.
func etcFiles() []string {
	return []string{"alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version",
		"fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "lsb-release", "magic", "mime.types",
		"os-release", "perl", "pki/ca-trust", "pki/tls/certs", "protocols", "python3", "services", "ssl/certs",
		"ssl/openssl.cnf", "terminfo", "timezone"}
}

// SpecView is the view that a spec's image asks for: the host for none, else a
// directory.
func SpecView(image string, uid, gid int) (View, error) {
	if image == "" {
		return HostView(uid, gid)
	}
	return ImageView(image, uid, gid)
}

// HostView is the minimal view of this host for a user inside.
func HostView(uid, gid int) (View, error) {
	v := base()
	for _, p := range programDirs() {
		if err := v.show(p, p); err != nil {
			return View{}, err
		}
	}
	if len(v.Binds) == 0 {
		return View{}, errors.New("oci: this host has no /usr")
	}
	for _, f := range etcFiles() {
		p := filepath.Join("/etc", f)
		if _, err := os.Stat(p); err == nil {
			v.Binds = append(v.Binds, Bind{p, p})
		}
	}
	v.Files = append(v.Files, accounts(uid, gid)...)
	return v, nil
}

// ImageView shows the unpacked image in dir instead of the host.
func ImageView(dir string, uid, gid int) (View, error) {
	if err := trusted(dir); err != nil {
		return View{}, err
	}
	if err := trusted(filepath.Join(dir, "etc")); err != nil {
		return View{}, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return View{}, fmt.Errorf("oci: image: %w", err)
	}
	v := base()
	own := append([]string{"/etc"}, v.Dirs...)
	for _, e := range entries {
		p := "/" + e.Name()
		if slices.Contains(own, p) || p == sandbox.ControlDir || p == sandbox.Workdir || p == "/var" {
			continue
		}
		if err := v.show(filepath.Join(dir, e.Name()), p); err != nil {
			return View{}, err
		}
	}
	etc, err := os.ReadDir(filepath.Join(dir, "etc"))
	if err != nil {
		return View{}, fmt.Errorf("oci: image %s holds no /etc: %w", dir, err)
	}
	v.Files = append(v.Files, accounts(uid, gid)...)
	for _, e := range etc {
		p := "/etc/" + e.Name()
		if slices.ContainsFunc(v.Files, func(f File) bool { return f.Path == p }) {
			continue
		}
		if err := v.show(filepath.Join(dir, "etc", e.Name()), p); err != nil {
			return View{}, err
		}
	}
	return v, nil
}

// trusted refuses an image directory that is a link, which could lead into the
// host, or that somebody else could turn into one.
func trusted(dir string) error {
	fi, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("oci: image: %w", err)
	}
	if !fi.IsDir() || fi.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("oci: image: %s must be a directory that only its owner can change", dir)
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("oci: image: %s belongs to another user", dir)
	}
	return nil
}

// base is what every box has whatever its root.
func base() View {
	return View{
		Dirs: []string{"/dev", "/etc", "/home", "/mnt", "/proc", "/run", "/sys", "/tmp", "/var", "/var/tmp"},
		Links: []Link{{"/run", "/var/run"}, {"/run/lock", "/var/lock"},
			{"/proc/self/mounts", "/etc/mtab"}},
	}
}

// show adds a host path: a link as the link it is, a directory or file as a
// bind. What does not exist, and what is neither, is left out.
func (v *View) show(source, target string) error {
	fi, err := os.Lstat(source)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("oci: %w", err)
	}
	switch {
	case fi.Mode()&os.ModeSymlink != 0:
		to, err := os.Readlink(source)
		if err != nil {
			return fmt.Errorf("oci: %w", err)
		}
		if !v.linked(target) {
			v.Links = append(v.Links, Link{to, target})
		}
	case fi.IsDir(), fi.Mode().IsRegular():
		v.Binds = append(v.Binds, Bind{source, target})
	}
	return nil
}

func (v *View) linked(path string) bool {
	return slices.ContainsFunc(v.Links, func(l Link) bool { return l.Path == path })
}

// accounts are the files that name the user inside and nobody of the host.
func accounts(uid, gid int) []File {
	f := func(path string, lines ...string) File {
		return File{path, 0o644, strings.Join(lines, "\n") + "\n"}
	}
	return []File{
		f("/etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin",
			fmt.Sprintf("agent:x:%d:%d:agent:%s:/bin/sh", uid, gid, sandbox.Workdir),
			"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"),
		f("/etc/group", "root:x:0:", fmt.Sprintf("agent:x:%d:", gid), "nogroup:x:65534:"),
		f("/etc/hosts", "127.0.0.1 localhost "+Hostname, "::1 localhost"),
		f("/etc/hostname", Hostname),
		f("/etc/nsswitch.conf", "passwd: files", "group: files", "hosts: files dns"),
		f("/etc/resolv.conf", "# no network"),
	}
}

// Under returns the view as it is seen from outside a root at dir.
func (v View) Under(dir string) View {
	out := View{Links: make([]Link, len(v.Links))}
	for _, d := range v.Dirs {
		out.Dirs = append(out.Dirs, dir+d)
	}
	for _, b := range v.Binds {
		out.Binds = append(out.Binds, Bind{b.Source, dir + b.Target})
	}
	for i, l := range v.Links {
		out.Links[i] = Link{l.Target, dir + l.Path}
	}
	for _, f := range v.Files {
		out.Files = append(out.Files, File{dir + f.Path, f.Mode, f.Content})
	}
	return out
}

func sortedNames[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Masked are paths of /proc and /sys that are hidden when they exist.
func Masked() []string {
	return []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kallsyms", "/proc/kcore", "/proc/keys",
		"/proc/key-users", "/proc/latency_stats", "/proc/mtrr", "/proc/sched_debug", "/proc/schedstat",
		"/proc/scsi", "/proc/slabinfo", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo",
		"/proc/driver", "/proc/partitions", "/proc/diskstats", "/sys/firmware",
		"/sys/devices/virtual/powercap"}
}

// ReadOnly are paths of /proc that may be read and not written.
func ReadOnly() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}

// Devices are the device nodes of a box, besides terminals.
func Devices() []string {
	return []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}
}
