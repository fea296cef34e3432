//go:build linux

package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

// TrialSpec is what a backend's first box is made from, to see whether it can
// make any. Any directory serves as a workspace that is only looked at.
func TrialSpec() sandbox.Spec {
	return sandbox.Spec{User: fmt.Sprintf("%d:%d", sandbox.DefaultUID, sandbox.DefaultUID), Access: "ro", Workspace: "/usr", Network: "none",
		Tmpfs: []sandbox.Tmpfs{{Path: "/tmp", Size: 1 << 20, Inodes: 64}}}
}

// Try runs a command in a trial box and ends it.
func Try(ctx context.Context, conn *client.Conn, p Process) error {
	defer func() {
		conn.Quit()
		_ = p.Kill(context.WithoutCancel(ctx))
	}()
	proc, err := conn.Start(ctx, sandbox.Cmd{Argv: []string{supervisor.Path, "file", "stat", "/"}, Dir: "/"})
	if err != nil {
		return err
	}
	if x, err := proc.Wait(ctx); err != nil || x.Code != 0 {
		return errors.Join(fmt.Errorf("a command in it failed: %+v", x), err)
	}
	return nil
}
