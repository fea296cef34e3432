package sandbox

import "fmt"

// MemoryNote says what killed a command whose Exit.OOM is set, and what to
// change.
func (x Exit) MemoryNote() string {
	limit := ""
	if x.Memory > 0 {
		limit = fmt.Sprintf(" of %d MiB", x.Memory>>20)
	}
	return "killed: the sandbox's memory limit" + limit + " was reached; use less, or raise agents.defaults.sandbox.docker.memory"
}
