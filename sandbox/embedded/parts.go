//go:build linux

package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/workspace"
)

// OpenFiles opens the workspace of a request. Root gives new files to the user
// inside; anybody else is that user.
func OpenFiles(r sandbox.Request) (sandbox.Files, error) {
	o := workspace.Options{Workdir: sandbox.Workdir, ReadOnly: r.Spec.ReadOnly(), Durable: r.Spec.Durable}
	if r.Dir != "" {
		o.IntentDir = filepath.Join(r.Dir, "intent")
		if err := securefile.MkdirAll(o.IntentDir); err != nil {
			return nil, err
		}
	}
	if os.Geteuid() == 0 {
		uid, gid, err := User(r.Spec.User)
		if err != nil {
			return nil, err
		}
		o.UID, o.GID = uid, gid
	}
	return workspace.Open(r.Spec.Workspace, o)
}

// User parses uid:gid. Zero is refused: nobody is root in a box.
func User(s string) (uid, gid int, err error) {
	u, g, ok := strings.Cut(s, ":")
	if !ok {
		g = u
	}
	uid, err1 := strconv.Atoi(u)
	gid, err2 := strconv.Atoi(g)
	if err1 != nil || err2 != nil || uid <= 0 || gid <= 0 || uid >= math.MaxInt32 || gid >= math.MaxInt32 {
		return 0, 0, fmt.Errorf("%w: user %q must be uid:gid, neither of them 0", sandbox.ErrRefused, s)
	}
	return uid, gid, nil
}

// Nonce proves a box to its gateway.
func Nonce() string { return rand.Text() }

// Pair makes the two ends of a box's channel.
func Pair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("sandbox: %w", err)
	}
	host, box := os.NewFile(uintptr(fds[0]), "host"), os.NewFile(uintptr(fds[1]), "box")
	defer host.Close()
	c, err := net.FileConn(host)
	if err != nil {
		return nil, nil, errors.Join(err, box.Close())
	}
	ux, ok := c.(*net.UnixConn)
	if !ok {
		return nil, nil, errors.Join(errors.New("sandbox: not a local socket"), c.Close(), box.Close())
	}
	return ux, box, nil
}

// Channel is the gateway's end of a box's channel; Box is the other, which the
// first process inherits as standard input and output.
type Channel struct {
	io.ReadWriteCloser
	In, Out *os.File
}

// Release closes the box's end once it was inherited.
func (c *Channel) Release() {
	_ = c.In.Close()
	if c.Out != c.In {
		_ = c.Out.Close()
	}
}

// Socket makes a channel that descriptors can be passed on.
func Socket() (*Channel, error) {
	host, box, err := Pair()
	if err != nil {
		return nil, err
	}
	return &Channel{ReadWriteCloser: host, In: box, Out: box}, nil
}

// Pipes makes a channel of two pipes, for a box whose kernel is not the host's.
func Pipes() (*Channel, error) {
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), inR.Close(), inW.Close())
	}
	return &Channel{ReadWriteCloser: duplex{outR, inW}, In: inR, Out: outW}, nil
}

// duplex is two pipes seen as one stream.
type duplex struct {
	*os.File          // read end
	w        *os.File // write end
}

func (d duplex) Write(p []byte) (int, error) { return d.w.Write(p) }

func (d duplex) Close() error { return errors.Join(d.File.Close(), d.w.Close()) }

// Check refuses a spec that lacks what keeps a box closed, however it was made,
// and what an engine could do and an embedded backend cannot, so that nothing
// is quietly left out.
func Check(s sandbox.Spec) error {
	if _, _, err := User(s.User); err != nil {
		return err
	}
	if s.Limits.Memory < 32<<20 || s.Limits.NanoCPUs <= 0 || s.Limits.Pids <= 0 || s.Limits.Pids > 32768 {
		return fmt.Errorf("%w: limits are missing", sandbox.ErrRefused)
	}
	for _, m := range s.Mounts {
		if err := sandbox.CheckTarget(m.Target, true); err != nil {
			return fmt.Errorf("%w: mount on %s: %w", sandbox.ErrRefused, m.Target, err)
		}
		if _, err := sandbox.CheckSource(m.Source, sandbox.BindRules{AllowExternal: true}); err != nil {
			return fmt.Errorf("%w: mount of %s: %w", sandbox.ErrRefused, m.Source, err)
		}
	}
	for _, t := range s.Tmpfs {
		if err := sandbox.CheckTarget(t.Path, false); err != nil || t.Size <= 0 || t.Inodes <= 0 {
			return errors.Join(fmt.Errorf("%w: scratch on %s", sandbox.ErrRefused, t.Path), err)
		}
	}
	return unsupported(s)
}

func unsupported(s sandbox.Spec) error {
	refuse := func(what string) error {
		return fmt.Errorf("%w: the embedded backends have %s", sandbox.ErrRefused, what)
	}
	switch {
	case s.Network != "none":
		return refuse("no network; set network to none or use an engine")
	case s.AppArmor != "":
		return refuse("no AppArmor profile of their own; leave apparmorProfile out")
	case s.Seccomp != "":
		return refuse("one built-in system call filter; leave seccompProfile out")
	case s.Runtime != "":
		return refuse("no choice of runtime; leave runtime out")
	case s.Image != "" && !strings.HasPrefix(s.Image, "/"):
		return refuse("no image store; set image to a directory with a root file system, or leave it out")
	case s.Workspace == "":
		return refuse("no workspace of their own; name a directory")
	}
	return nil
}
