package sandbox

import "fmt"

// Note says what a limit did to the command, and what to change; "" when none
// did anything.
func (x Exit) Note() string {
	switch {
	case x.Stopped != "":
		return x.Stopped
	case x.OOM:
		return x.MemoryNote()
	}
	return ""
}

// MemoryNote says what killed a command whose Exit.OOM is set, and what to
// change.
func (x Exit) MemoryNote() string {
	limit := ""
	if x.Memory > 0 {
		limit = fmt.Sprintf(" of %d MiB", x.Memory>>20)
	}
	return "killed: the sandbox's memory limit" + limit + " was reached; use less, or raise agents.defaults.sandbox.docker.memory"
}
