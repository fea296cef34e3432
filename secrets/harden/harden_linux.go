package harden

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Process forbids core dumps and makes /proc/<pid>/mem, environ and fd of
// this process unreadable to other processes of the same user; root can still
// read them. Programs that this process starts are not affected. Call it
// before secrets are resolved, and not in a process that maps user ids into a
// namespace of its own: the maps become unwritable too.
func Process() error {
	var errs []error
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		errs = append(errs, fmt.Errorf("forbid core dumps: %w", err))
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		errs = append(errs, fmt.Errorf("protect memory: %w", err))
	}
	return errors.Join(errs...)
}

// NoCore forbids core dumps only; it has no side effect on anything else.
// Children inherit it.
func NoCore() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}
