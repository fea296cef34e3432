//go:build linux

package embedded

import (
	"errors"
	"fmt"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/cgroup"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

// Recipe is how a backend makes a box.
type Recipe struct {
	Backend string
	Tier    sandbox.Tier
	Request sandbox.Request
	Tree    *cgroup.Tree  // nil where no control group can be made
	Extra   cgroup.Limits // on top of the spec's, for what is not the box's own
	// Start starts the first process in the group, which may be nil, and
	// returns once the supervisor has greeted.
	Start func(*cgroup.Group) (*client.Conn, Process, error)
}

// Create follows the recipe. On error nothing is left behind.
func Create(c Recipe) (box *Box, err error) {
	var group *cgroup.Group
	if c.Tree != nil {
		l := c.Request.Spec.Limits
		group, err = c.Tree.Create(c.Request.ID, cgroup.Limits{Memory: add(l.Memory, c.Extra.Memory),
			Pids: add(l.Pids, c.Extra.Pids), NanoCPUs: l.NanoCPUs})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
		}
		defer func() {
			if err != nil {
				group.Kill()
				err = errors.Join(err, group.Remove(patience))
			}
		}()
	}
	files, err := OpenFiles(c.Request)
	if err != nil {
		return nil, err
	}
	conn, p, err := c.Start(group)
	if err != nil {
		if f, ok := files.(interface{ Close() error }); ok {
			err = errors.Join(err, f.Close())
		}
		return nil, err
	}
	return NewBox(Parts{Backend: c.Backend, Tier: c.Tier, Request: c.Request, Conn: conn, Process: p, Group: group, Files: files}), nil
}

// add keeps an unlimited limit unlimited.
func add(limit, extra int64) int64 {
	if limit <= 0 {
		return 0
	}
	return limit + extra
}
