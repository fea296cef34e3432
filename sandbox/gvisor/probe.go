//go:build linux

package gvisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/embedded"
	"github.com/chitin-sh/chitin/sandbox/namespace"
)

// greetTime bounds the start of a box on a loaded machine.
const greetTime = 20 * time.Second

// find looks for runsc where the configuration says, beside this binary, and
// in PATH. A name in PATH must be absolute: nothing is taken from the working
// directory.
func find(configured string) (string, error) {
	if configured != "" {
		if !filepath.IsAbs(configured) {
			return "", fmt.Errorf("runsc: %q is not an absolute path", configured)
		}
		return usable(configured)
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			if p, err := usable(filepath.Join(filepath.Dir(real), "runsc")); err == nil {
				return p, nil
			}
		}
	}
	p, err := exec.LookPath("runsc")
	if err != nil || !filepath.IsAbs(p) {
		return "", errors.New("runsc is neither beside chitin nor in PATH; make runsc builds it")
	}
	return usable(p)
}

func usable(path string) (string, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("runsc: %w", err)
	}
	if !fi.Mode().IsRegular() || fi.Mode().Perm()&0o111 == 0 {
		return "", fmt.Errorf("runsc: %s is not a program", path)
	}
	if fi.Mode().Perm()&0o002 != 0 {
		return "", fmt.Errorf("runsc: %s can be changed by everybody", path)
	}
	return path, nil
}

// look starts one box and throws it away: whether systrap works here cannot
// be told from version numbers.
func (b *Backend) look() sandbox.Status {
	st := sandbox.Status{Tier: sandbox.TierGVisor, Version: b.version(), Boot: namespace.BootID()}
	if _, err := find(b.opts.Runsc); err != nil {
		st.Reason = err.Error()
		return st
	}
	tree, _ := b.tree()
	st.Reason = "gVisor (systrap, no privileges) inside user namespaces"
	if !ours(st.Version) {
		st.Reason = "this runsc (" + st.Version + ") keeps no system call filter and no inode limits inside; make runsc builds the one that does"
		return st
	}
	st.Warnings = append(st.Warnings, embedded.Lacking(tree)...)
	if _, ok := b.remembered(); ok {
		st.Available = true
		return st
	}
	ctx, cancel := context.WithTimeout(context.Background(), greetTime)
	defer cancel()
	if err := b.try(ctx); err != nil {
		st.Reason = "a trial box could not be started: " + strings.TrimPrefix(err.Error(), sandbox.ErrUnavailable.Error()+": ")
		return st
	}
	st.Available = true
	b.remember(st.Version)
	return st
}

// proof is the name of the file that remembers a trial that went well, and what
// it holds good for: this boot, this runsc, this user. A wrong memory costs
// nothing but a later error.
func (b *Backend) proof() (path, key string) {
	runsc, err := find(b.opts.Runsc)
	if err != nil || b.opts.StateDir == "" {
		return "", ""
	}
	fi, err := os.Stat(runsc)
	if err != nil {
		return "", ""
	}
	return filepath.Join(b.opts.StateDir, "sandbox", "gvisor.tried"),
		fmt.Sprintf("%s %s %d %d %d", namespace.BootID(), runsc, fi.Size(), fi.ModTime().UnixNano(), os.Geteuid())
}

// remembered returns the version of a runsc that was tried.
func (b *Backend) remembered() (string, bool) {
	path, key := b.proof()
	if path == "" {
		return "", false
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) > 4096 {
		return "", false
	}
	have, version, _ := strings.Cut(string(data), "\n")
	return version, have == key
}

func (b *Backend) remember(version string) {
	path, key := b.proof()
	if path == "" || securefile.MkdirAll(filepath.Dir(path)) != nil {
		return
	}
	_ = securefile.Write(path, []byte(key+"\n"+version)) // only a memory
}

// try runs a command in a box and ends it.
func (b *Backend) try(ctx context.Context) error {
	conn, p, err := b.start(ctx, embedded.TrialSpec(), nil)
	if err != nil {
		return err
	}
	return embedded.Try(ctx, conn, p)
}

// ours reports whether a version is of the runsc that make runsc builds, which
// keeps the errors of a system call filter and the inode limits of a tmpfs.
func ours(version string) bool { return strings.HasSuffix(version, "+chitin") }

// version is the first line of runsc --version.
func version(configured string) string {
	path, err := find(configured)
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{"PATH=/"}
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
