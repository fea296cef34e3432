package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"
	"time"
)

// stamp is every file's time, so that the same packages make the same image.
var stamp = time.Unix(1700000000, 0)

// merged are the top directories that are links into /usr.
var merged = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// dropped is what no command needs.
var dropped = []string{"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/",
	"usr/share/bug/", "var/cache/", "var/lib/apt/", "var/log/", "dev/", "proc/", "sys/", "boot/", "home/", "root/", "media/", "srv/"}

// writeLayer writes one root file system from the packages' contents. No
// maintainer script runs; set-uid bits, devices and owners other than root
// are left out.
func writeLayer(ctx context.Context, w io.Writer, debs []deb) error {
	l := &layer{tw: tar.NewWriter(w), seen: map[string]bool{}}
	if err := l.base(); err != nil {
		return err
	}
	for _, d := range debs {
		if err := l.add(ctx, d); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	if err := l.files(debs); err != nil {
		return err
	}
	return l.tw.Close()
}

type layer struct {
	tw   *tar.Writer
	seen map[string]bool
}

func (l *layer) dir(name string, mode int64) error {
	if l.seen[name] {
		return nil
	}
	l.seen[name] = true
	return l.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, ModTime: stamp})
}

func (l *layer) link(name, target string) error {
	l.seen[name] = true
	return l.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777, ModTime: stamp})
}

func (l *layer) file(name, text string) error {
	l.seen[name] = true
	if err := l.tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: stamp}); err != nil {
		return err
	}
	_, err := io.WriteString(l.tw, text)
	return err
}

// base makes the skeleton: the links into /usr come first, so that nothing
// is ever written beside them.
func (l *layer) base() error {
	var errs []error
	for _, d := range []string{"usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "var", "var/lib", "workspace", "agent", "mnt", "proc", "sys", "dev", "opt", "run", ".chitin"} {
		errs = append(errs, l.dir(d, 0o755))
	}
	errs = append(errs, l.dir("tmp", 0o1777), l.dir("var/tmp", 0o1777), l.dir("root", 0o700),
		l.link("bin", "usr/bin"), l.link("sbin", "usr/sbin"), l.link("lib", "usr/lib"), l.link("lib64", "usr/lib64"),
		l.link("usr/bin/awk", "mawk"), l.link("usr/bin/pager", "less"), l.link("var/run", "/run"))
	return errors.Join(errs...)
}

func (l *layer) files(debs []deb) error {
	var missing []error
	for name, text := range map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\nsandbox:x:64000:64000:sandbox:/workspace:/bin/bash\n",
		"etc/group":         "root:x:0:\nnogroup:x:65534:\nsandbox:x:64000:\n",
		"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
		"etc/gitconfig":     "[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n",
	} {
		if !l.seen[name] {
			missing = append(missing, l.file(name, text))
		}
	}
	if err := l.dir("usr/share/chitin", 0o755); err != nil {
		return err
	}
	return errors.Join(append(missing, l.file("usr/share/chitin/packages", strings.Join(names(debs), "\n")+"\n"))...)
}

// add copies one package's files.
func (l *layer) add(ctx context.Context, d deb) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", d.path)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	cerr := l.copy(tar.NewReader(out))
	if cerr != nil {
		_ = cmd.Process.Kill()
	}
	return errors.Join(cerr, cmd.Wait())
}

func (l *layer) copy(tr *tar.Reader) error {
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, keep := place(h.Name)
		if !keep || l.seen[name] {
			continue
		}
		n := &tar.Header{Typeflag: h.Typeflag, Name: name, Mode: h.Mode & 0o1777, ModTime: stamp, Linkname: h.Linkname}
		switch h.Typeflag {
		case tar.TypeDir:
			if err := l.dir(name, n.Mode); err != nil {
				return err
			}
			continue
		case tar.TypeReg:
			n.Size = h.Size
		case tar.TypeSymlink:
		case tar.TypeLink:
			to, keep := place(h.Linkname)
			if !keep || !l.seen[to] {
				continue
			}
			n.Linkname = to
		default:
			continue // devices, pipes
		}
		l.seen[name] = true
		if err := l.tw.WriteHeader(n); err != nil {
			return err
		}
		if n.Size > 0 {
			if _, err := io.Copy(l.tw, tr); err != nil {
				return err
			}
		}
	}
}

// place says where a package's file goes, and whether it is wanted.
func place(name string) (string, bool) {
	p := strings.TrimPrefix(path.Clean("/"+name), "/")
	if p == "" {
		return "", false
	}
	top, rest, deep := strings.Cut(p, "/")
	for _, m := range merged {
		if top == m {
			if !deep {
				return "", false // the link is there already
			}
			p = "usr/" + top + "/" + rest
		}
	}
	for _, d := range dropped {
		if strings.HasPrefix(p, d) {
			return "", false
		}
	}
	return p, true
}
