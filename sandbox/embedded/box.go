//go:build linux

// Package embedded is what the backends without a daemon have in common: a box
// that is a child of the gateway, spoken to over a socket that was its standard
// input from the start, bounded by a control group where one can be made.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/cgroup"
	"github.com/chitin-sh/chitin/sandbox/probe"
	"github.com/chitin-sh/chitin/sandbox/supervisor/client"
	"github.com/chitin-sh/chitin/sandbox/supervisor/livebox"
)

// Process is the box's first process as the gateway sees it.
type Process interface {
	// Kill ends the box with everything in it and waits for that.
	Kill(ctx context.Context) error
	// Done is closed when it has ended.
	Done() <-chan struct{}
}

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
	// Live remembers the box.
	Live *Registry
	// Expect says where the backend's boxes look different from inside.
	Expect func(*probe.Expectation)
}

// patience is how long the kernel may take to let go of a killed box.
const patience = 5 * time.Second

// Create follows the recipe. On error nothing is left behind.
func Create(ctx context.Context, c Recipe) (_ sandbox.Box, err error) {
	u := &undo{}
	defer func() {
		if err != nil {
			err = errors.Join(err, u.run())
		}
	}()
	var group *cgroup.Group
	if c.Tree != nil {
		l := c.Request.Spec.Limits
		group, err = c.Tree.Create(c.Request.ID, cgroup.Limits{Memory: add(l.Memory, c.Extra.Memory),
			Pids: add(l.Pids, c.Extra.Pids), NanoCPUs: l.NanoCPUs})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
		}
		u.add(func() error {
			group.Kill()
			return group.Remove(patience)
		})
	}
	files, err := OpenFiles(c.Request)
	if err != nil {
		return nil, err
	}
	if f, ok := files.(interface{ Close() error }); ok {
		u.add(f.Close)
	}
	conn, p, err := c.Start(group)
	if err != nil {
		return nil, err
	}
	u.add(func() error {
		conn.Quit()
		kctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return p.Kill(kctx)
	})
	if c.Request.Prove || len(c.Request.Spec.Mounts) > 0 {
		if err := c.prove(ctx, conn); err != nil {
			return nil, err
		}
	}
	o := c.options(conn, files, u.run)
	if group != nil {
		o.OOMKills, o.PIDs = group.OOMKills, group.PIDs
	}
	b := livebox.New(o)
	c.Live.add(c.Request.ID, b)
	// A box that dies by itself leaves as little as one that is closed.
	go func() {
		<-p.Done()
		_ = conn.Close()
		_ = b.Close(context.Background())
		c.Live.remove(c.Request.ID, b)
	}()
	return b, nil
}

func (c Recipe) options(conn *client.Conn, files sandbox.Files, stop func() error) livebox.Options {
	r, s := c.Request, c.Request.Spec
	inside := []string{"/"}
	for _, m := range s.Mounts {
		inside = append(inside, m.Target)
	}
	for _, t := range s.Tmpfs {
		inside = append(inside, t.Path)
	}
	return livebox.Options{
		Info: sandbox.Info{ID: r.ID, Backend: c.Backend, Tier: string(c.Tier), Scope: r.Owner.Scope, Key: r.Owner.Key, Tenant: r.Owner.Tenant,
			Image: s.Image, Workdir: sandbox.Workdir, Workspace: s.Workspace, Access: s.Access, Hash: s.Hash(), Created: time.Now()},
		Conn: conn, Files: files, Env: s.Env, Inside: inside, Memory: s.Limits.Memory,
		Stop: func(context.Context) error { return stop() },
	}
}

// prove runs the probes inside and compares them with what was asked for.
func (c Recipe) prove(ctx context.Context, conn *client.Conn) error {
	s := c.Request.Spec
	facts, err := probe.Run(ctx, conn, s)
	if err != nil {
		return fmt.Errorf("%w: the probes inside did not finish: %w", sandbox.ErrRefused, err)
	}
	e := probe.Expect(s)
	if !c.Tree.Has(cgroup.Memory) {
		e.Memory = 0
	}
	if !c.Tree.Has(cgroup.Pids) {
		e.Pids = 0
	}
	e.CPU = e.CPU && c.Tree.Has(cgroup.CPU)
	// The supervisor is a read-only file in a directory of the read-only root.
	e.Memory, e.Pids = add(e.Memory, c.Extra.Memory), add(e.Pids, c.Extra.Pids)
	if c.Expect != nil {
		c.Expect(&e)
	}
	if bad := probe.Check(facts, e); len(bad) > 0 {
		return &sandbox.ProofError{Mismatches: bad}
	}
	return nil
}

// add keeps an unlimited limit unlimited.
func add(limit, extra int64) int64 {
	if limit <= 0 {
		return 0
	}
	return limit + extra
}

// undo takes back what was done, newest first.
type undo struct{ steps []func() error }

func (u *undo) add(f func() error) { u.steps = append(u.steps, f) }

func (u *undo) run() error {
	var err error
	for i := len(u.steps) - 1; i >= 0; i-- {
		err = errors.Join(err, u.steps[i]())
	}
	return err
}
