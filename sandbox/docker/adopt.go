package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox"
	supclient "github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

func isNotFound(err error) bool { return errdefs.IsNotFound(err) }
func isConflict(err error) bool { return errdefs.IsConflict(err) }

// list returns the containers of this state directory that carry labels,
// running or not.
func (e *Engine) list(ctx context.Context, api *client.Client, labels ...string) ([]container.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	f := client.Filters{}
	f.Add("label", append(labels, labelMark+"=1", labelState+"="+e.state)...)
	res, err := api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: f})
	if err != nil {
		return nil, e.unavailable("list the sandboxes", err)
	}
	return res.Items, nil
}

// Adopt reconnects to a container that outlived the gateway. Its supervisor
// has killed everything that ran when the old gateway went away, so nothing
// inside can be mistaken for it.
func (e *Engine) Adopt(ctx context.Context, r sandbox.Request) (sandbox.Box, error) {
	if e.attaches(r.Spec) {
		return nil, fmt.Errorf("%w: it ends with the stream to its gateway", sandbox.ErrGone)
	}
	api, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	items, err := e.list(ctx, api, labelBox+"="+r.ID)
	if err != nil {
		return nil, err
	}
	// A box from the warm pool was started before it had an owner; the record
	// in our own directory says whose it became.
	i := slices.IndexFunc(items, func(c container.Summary) bool {
		return c.Labels[labelBox] == r.ID && c.State == container.StateRunning && c.Labels[labelHash] == r.Spec.Hash() &&
			(c.Labels[labelKey] == "" || c.Labels[labelTenant] == r.Owner.Tenant && c.Labels[labelKey] == r.Owner.Key)
	})
	if i < 0 {
		return nil, fmt.Errorf("%w: no container of that name and profile runs", sandbox.ErrGone)
	}
	nonce, err := os.ReadFile(filepath.Join(r.Dir, nonceFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	in, err := api.ContainerInspect(ctx, items[i].ID, client.ContainerInspectOptions{})
	if err != nil || in.Container.State == nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	l, err := supclient.Listen(filepath.Join(r.Dir, ctlName))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	defer l.Close()
	actx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	rw, err := l.Accept(actx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	if !supclient.IsPeer(rw, in.Container.State.Pid) {
		_ = rw.Close()
		return nil, fmt.Errorf("%w: something other than its supervisor answered", sandbox.ErrGone)
	}
	conn, err := supclient.New(actx, rw, supclient.Options{Nonce: string(nonce)})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrGone, err)
	}
	b, err := e.box(api, r, items[i].ID, in.Container.Config.Image, in.Container.State.Pid, conn)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Lasting says that containers outlive the gateway.
func (e *Engine) Lasting() {}

// Sweep removes containers that nobody claims.
func (e *Engine) Sweep(ctx context.Context, keep func(id string) bool) (int, error) {
	api, err := e.connect(ctx)
	if err != nil {
		return 0, err
	}
	items, err := e.list(ctx, api)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, c := range items {
		// One that is kept but not yet running is being made; one that has
		// ended is of no use to anybody.
		if keep(c.Labels[labelBox]) && (c.State == container.StateRunning || c.State == container.StateCreated) {
			continue
		}
		if err := e.remove(api, c.ID); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
