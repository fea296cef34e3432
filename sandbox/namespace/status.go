//go:build linux

package namespace

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/embedded"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

const (
	startTime = 10 * time.Second // a box takes milliseconds; a loaded machine more
	killTime  = 5 * time.Second
)

// look makes one box and throws it away: whether user namespaces, mounts and
// filters work here cannot be told from version numbers.
func (b *Backend) look() sandbox.Status {
	st := sandbox.Status{Tier: sandbox.TierNamespace, Version: kernel(), Boot: BootID()}
	abi := launch.LandlockABI()
	tree, _ := b.tree()
	st.Reason = fmt.Sprintf("user namespaces, seccomp and Landlock (version %d) on the host's kernel", abi)
	if abi == 0 {
		st.Warnings = append(st.Warnings, "this kernel has no Landlock: file access rests on mounts alone")
	}
	st.Warnings = append(st.Warnings, embedded.Lacking(tree)...)
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if err := b.try(ctx); err != nil {
		st.Reason = "a trial box could not be started: " + strings.TrimPrefix(err.Error(), sandbox.ErrUnavailable.Error()+": ")
		return st
	}
	st.Available = true
	return st
}

// try runs a command in a box and ends it.
func (b *Backend) try(ctx context.Context) error {
	exe, err := b.opts.Program()
	if err != nil {
		return err
	}
	nonce := embedded.Nonce()
	bp, id, err := draw(embedded.TrialSpec(), exe, nonce, nil)
	if err != nil {
		return err
	}
	conn, p, err := Start(ctx, bp, id, exe, nil, client.Options{Nonce: nonce})
	if err != nil {
		return err
	}
	return embedded.Try(ctx, conn, p)
}

// identify names a file for as long as it exists.
func identify(fd int) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	return launch.Identity(st.Dev, st.Ino), nil
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return "Linux " + strings.TrimSpace(string(b))
}

// BootID changes with every boot of the machine.
func BootID() string {
	b, err := os.ReadFile(filepath.Join("/proc/sys/kernel/random", "boot_id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
