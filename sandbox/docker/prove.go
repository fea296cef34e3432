package docker

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/probe"
	supclient "github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

// ownKernel reports whether the spec's runtime is gVisor.
func ownKernel(s sandbox.Spec) bool { return strings.Contains(s.Runtime, "runsc") }

// What gVisor's own processes need on top of a box's limits.
const (
	kernelMemory = 256 << 20
	kernelPids   = 512
)

// ownLimits are the limits of a container that holds gVisor. The group bounds
// gVisor; the box's processes are bounded by gVisor, each by itself.
func ownLimits(l sandbox.Limits) sandbox.Limits {
	l.Ulimits = maps.Clone(l.Ulimits)
	if l.Ulimits == nil {
		l.Ulimits = map[string][2]int64{}
	}
	for name, n := range map[string]int64{"nproc": l.Pids, "data": l.Memory} {
		if _, ok := l.Ulimits[name]; !ok {
			l.Ulimits[name] = [2]int64{n, n}
		}
	}
	l.Memory, l.Pids = l.Memory+kernelMemory, l.Pids+kernelPids
	return l
}

// expect is what the probes must find in a box of a spec.
func expect(s sandbox.Spec, podman bool) probe.Expectation {
	e := probe.Expect(s)
	if podman {
		// It puts a user that the image does not know into copies of these.
		e.Shown = append(slices.Clone(e.Shown), "/etc/passwd", "/etc/group")
		e.Tmpfs = slices.Clone(e.Tmpfs)
		for i := range e.Tmpfs {
			e.Tmpfs[i].Inodes = math.MaxInt64
		}
	}
	if !ownKernel(s) {
		return e
	}
	e.NoDevUnseen = true // device files cannot be made without a capability that nobody has
	e.Skip["at"] = "gVisor numbers files itself; the engine is given the mounts by checked path"
	e.Skip["cg.pids"] = "gVisor shows no limit of processes that it does not enforce by the group; RLIMIT_NPROC does"
	e.Memory += kernelMemory
	return e
}

// prove runs the probes inside and compares them with what was asked for.
func prove(ctx context.Context, conn *supclient.Conn, s sandbox.Spec, podman bool) error {
	facts, err := probe.Run(ctx, conn, s)
	if err != nil {
		_ = conn.Close()
		return fmt.Errorf("%w: the probes inside did not finish: %w", sandbox.ErrRefused, err)
	}
	bad := probe.Check(facts, expect(s, podman))
	if len(bad) == 0 {
		return nil
	}
	_ = conn.Close()
	if ownKernel(s) && slices.ContainsFunc(bad, func(m string) bool { return strings.HasPrefix(m, "seccomp:") }) {
		bad = append(bad, "the engine's runtime "+s.Runtime+" must be registered with the argument --oci-seccomp")
	}
	return &sandbox.ProofError{Mismatches: bad}
}
