package docker

import (
	"context"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox/cgroup"
)

// group finds a container's control group on the host when it is first
// wanted: nil for an engine in another machine. pid is the first process of
// the container, or 0 to ask the engine.
func (e *Engine) group(api *client.Client, id string, pid int) func() *cgroup.Group {
	return sync.OnceValue(func() *cgroup.Group {
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
}

// oomKills reads how many processes the memory limit of a container has
// killed. Those of before, in a container that was adopted, count for nobody.
func oomKills(find func() *cgroup.Group, adopted bool) func() int64 {
	count := func() int64 {
		if g := find(); g != nil {
			return g.OOMKills()
		}
		return 0
	}
	before := int64(0)
	if adopted {
		before = count()
	}
	return func() int64 { return count() - before }
}

// pids are a container's processes on the host.
func pids(find func() *cgroup.Group) func() []int {
	return func() []int {
		if g := find(); g != nil {
			return g.PIDs()
		}
		return nil
	}
}
