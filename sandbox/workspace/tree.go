package workspace

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// openHow is the part of resolution that must hold for every name: stay below
// the workspace and never pass through /proc's magic links.
const openHow = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS

// tree opens names below one directory and nowhere else.
type tree interface {
	// open returns a descriptor for rel, with O_CLOEXEC added to flags.
	open(rel string, flags int) (int, error)
	close() error
}

// openTree prefers openat2 and falls back to os.Root where the kernel or a
// seccomp profile does not offer it.
func openTree(dir string) (tree, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	k := kernelTree{fd: fd}
	probe, err := k.open(".", unix.O_PATH|unix.O_DIRECTORY)
	if err == nil {
		closeFD(probe)
		return k, nil
	}
	closeFD(fd)
	return openRootTree(dir)
}

// kernelTree resolves with openat2.
type kernelTree struct{ fd int }

// maxAgain bounds the retries that the kernel asks for when a rename raced
// with the resolution of dot-dot.
const maxAgain = 256

func (k kernelTree) open(rel string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: openHow}
	for try := 0; ; try++ {
		fd, err := unix.Openat2(k.fd, rel, &how)
		switch {
		case err == nil:
			return fd, nil
		case err == unix.EINTR:
		case err == unix.EAGAIN && try < maxAgain:
			runtime.Gosched()
		default:
			return -1, err
		}
	}
}

func (k kernelTree) close() error { return unix.Close(k.fd) }

// rootTree resolves in user space with os.Root.
type rootTree struct{ root *os.Root }

func openRootTree(dir string) (tree, error) {
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open root: %w", err)
	}
	return rootTree{root: r}, nil
}

func (r rootTree) open(rel string, flags int) (int, error) {
	// O_PATH would open a link itself here; a plain non-blocking open does not.
	flags = flags&^unix.O_PATH | unix.O_NONBLOCK
	file, err := r.root.OpenFile(rel, flags, 0)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return -1, errno
		}
		return -1, sandbox.ErrEscapes
	}
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	return fd, errors.Join(err, file.Close())
}

func (r rootTree) close() error { return r.root.Close() }
