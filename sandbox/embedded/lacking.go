//go:build linux

package embedded

import (
	"github.com/chitin-sh/chitin/sandbox/cgroup"
)

// Lacking says what no control group keeps for a box here, and what does
// instead. tree may be nil.
func Lacking(tree *cgroup.Tree) []string {
	const remedy = "; run the gateway as root, or as a service with Delegate=yes"
	var out []string
	for _, c := range []struct{ name, what string }{
		{cgroup.Memory, "memory is limited for each process and not for the whole box"},
		{cgroup.Pids, "the number of processes is limited by the user's limit alone"},
		{cgroup.CPU, "there is no processor quota: a box may use every processor"},
	} {
		if !tree.Has(c.name) {
			out = append(out, "no writable control group for "+c.name+": "+c.what+remedy)
		}
	}
	return out
}
