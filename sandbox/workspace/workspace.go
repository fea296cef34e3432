// Package workspace gives file tools access to one workspace directory from
// the host. Nothing outside can be reached, whatever links, FIFOs or races the
// processes in the box prepare: every name is resolved by the kernel below the
// directory (openat2 RESOLVE_BENEATH, or os.Root where that is missing), only
// regular files are read or written, and changes are made by rename, so that
// a file is always the old or the new one.
package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// Options say how a workspace is presented and guarded. The zero value is a
// writable workspace at /workspace whose new files belong to the gateway.
type Options struct {
	// Workdir is where the workspace is mounted in the box; absolute paths
	// below it are accepted and messages use it. Default /workspace.
	Workdir string
	// ReadOnly refuses every change with sandbox.ErrReadOnly.
	ReadOnly bool
	// UID and GID own new files and directories; 0 leaves them the gateway's.
	UID, GID int
	// Durable syncs files and directories, so that a change also survives a
	// power cut. SIGKILL needs no sync.
	Durable bool
	// IntentDir is a directory outside the workspace for half-made files and
	// the log that finishes an Apply after a crash. Best on the same file
	// system. Empty: an Apply of several files still rolls back on an error,
	// but cannot be finished after SIGKILL.
	IntentDir string
	// AllowHardLinks permits reading files with several hard links. They
	// cannot be made from inside a box, but a host user may have made one to
	// a file outside.
	AllowHardLinks bool
	// MaxFile is the largest file read or written, in bytes. Default 64 MiB.
	MaxFile int64
}

const (
	defaultWorkdir = "/workspace"
	defaultMaxFile = 64 << 20
	maxPath        = 4096
)

// FS is one open workspace; it implements sandbox.Files and is safe for
// concurrent use.
type FS struct {
	opts  Options
	tree  tree
	store *store       // intent log, nil without IntentDir
	stage atomic.Int32 // directory fd for half-made files, -1: beside the target
	apply sync.Mutex

	gate   sync.RWMutex // held for writing by Close only
	closed bool

	reader, writer *rights
}

var _ sandbox.Files = (*FS)(nil)

// Open opens dir as a workspace and finishes or undoes what a crashed process
// left half-applied in it.
func Open(dir string, opts Options) (*FS, error) {
	if opts.Workdir == "" {
		opts.Workdir = defaultWorkdir
	}
	opts.Workdir = filepath.Clean(opts.Workdir)
	if opts.MaxFile <= 0 {
		opts.MaxFile = defaultMaxFile
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("workspace: %w", err)
	}
	t, err := openTree(abs)
	if err != nil {
		return nil, fmt.Errorf("open workspace: %w", err)
	}
	f := &FS{opts: opts, tree: t}
	f.stage.Store(-1)
	if err := f.setRights(); err != nil {
		return nil, errors.Join(fmt.Errorf("open workspace: %w", err), t.close())
	}
	if opts.IntentDir != "" && !opts.ReadOnly {
		if err := f.openStore(abs); err != nil {
			return nil, errors.Join(err, t.close())
		}
	}
	return f, nil
}

// Recover finishes or undoes what a crashed process left half-applied in dir,
// as Open does. Whoever moves a workspace, or removes its intent directory,
// calls it first: afterwards the log would be lost or not be found.
func Recover(dir string, opts Options) error {
	if _, err := os.Stat(opts.IntentDir); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever logged
	}
	f, err := Open(dir, opts)
	if err != nil {
		return err
	}
	return f.Close()
}

// openStore opens the intent log and recovers from it.
func (f *FS) openStore(abs string) error {
	s, err := openStore(f.opts.IntentDir, abs)
	if err != nil {
		return err
	}
	f.store = s
	if f.writer != nil {
		if err := s.giveTo(f.writer); err != nil {
			return errors.Join(err, s.close())
		}
	}
	if s.sameMount(f.tree) {
		f.stage.Store(int32(s.fd))
	}
	back, err := f.writer.take()
	if err == nil {
		err = f.recover()
		back()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("recover workspace: %w", err), s.close())
	}
	return nil
}

// Close releases the workspace's descriptors when the operations under way
// are over. Later ones answer sandbox.ErrGone; a second Close does nothing.
func (f *FS) Close() error {
	f.gate.Lock()
	defer f.gate.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return errors.Join(f.tree.close(), f.store.close())
}

// begin starts an operation with the given rights: it keeps the descriptors
// open until done is called.
func (f *FS) begin(r *rights) (done func(), err error) {
	f.gate.RLock()
	if f.closed {
		f.gate.RUnlock()
		return nil, sandbox.ErrGone
	}
	back, err := r.take()
	if err != nil {
		f.gate.RUnlock()
		return nil, err
	}
	return func() { back(); f.gate.RUnlock() }, nil
}

// ReadOnly reports whether changes are refused.
func (f *FS) ReadOnly() bool { return f.opts.ReadOnly }

// rel turns a path as a tool gives it into one relative to the workspace. It
// does not resolve dot-dot: the kernel does that, below the workspace.
func (f *FS) rel(p string) (string, error) {
	if strings.IndexByte(p, 0) >= 0 {
		return "", fs.ErrInvalid
	}
	if len(p) > maxPath {
		return "", unix.ENAMETOOLONG
	}
	if !strings.HasPrefix(p, "/") {
		if p == "" {
			return ".", nil
		}
		return p, nil
	}
	p = "/" + strings.TrimLeft(p, "/")
	rest, ok := strings.CutPrefix(p, f.opts.Workdir)
	if !ok || (rest != "" && rest[0] != '/' && f.opts.Workdir != "/") {
		return "", sandbox.ErrEscapes
	}
	if rest = strings.TrimLeft(rest, "/"); rest == "" {
		return ".", nil
	}
	return rest, nil
}

// shown is the path as the box knows it, for messages.
func (f *FS) shown(p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return filepath.Join(f.opts.Workdir, p)
}

// fail wraps err for the caller: the box's path, never the host's.
func (f *FS) fail(op, p string, err error) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{Op: op, Path: f.shown(p), Err: classify(err)}
}

// classify maps what the kernel says of a hostile name to the errors that
// callers know.
func classify(err error) error {
	switch {
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ELOOP):
		return sandbox.ErrEscapes
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return sandbox.ErrNotRegular
	case errors.Is(err, unix.EROFS):
		return sandbox.ErrReadOnly
	}
	return err
}

// closeFD closes a descriptor whose data is already safe or unwanted.
func closeFD(fd int) { _ = unix.Close(fd) }

// ownerOf is who shall own a new file.
func (f *FS) ownerOf() (uid, gid int) {
	uid, gid = -1, -1
	if f.opts.UID > 0 {
		uid = f.opts.UID
	}
	if f.opts.GID > 0 {
		gid = f.opts.GID
	}
	return uid, gid
}

// chownErr forgives a refusal to an unprivileged gateway: its boxes run under
// its own uid, and files stay readable to others.
func chownErr(err error) error {
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 {
		return nil
	}
	return err
}

// Durable reports whether a change is on the disk when its method returns.
func (f *FS) Durable() bool { return f.opts.Durable }
