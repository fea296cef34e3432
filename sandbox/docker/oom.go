package docker

import (
	"context"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox/cgroup"
)

// oomKills reads how many processes the memory limit of a container has
// killed, from its control group on the host. The group is looked for when it
// is first wanted; an engine in another machine has none here. pid is the
// first process of a container that was adopted, whose kills so far count for
// nobody.
func (e *Engine) oomKills(api *client.Client, id string, pid int) func() int64 {
	find := sync.OnceValue(func() *cgroup.Group {
		if pid == 0 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			in, err := api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
			if err != nil || in.Container.State == nil || in.Container.State.Pid == 0 {
				return nil
			}
			pid = in.Container.State.Pid
		}
		g, err := cgroup.Of(pid)
		if err != nil {
			return nil
		}
		return g
	})
	count := func() int64 {
		if g := find(); g != nil {
			return g.OOMKills()
		}
		return 0
	}
	before := int64(0)
	if pid != 0 {
		before = count()
	}
	return func() int64 { return count() - before }
}
