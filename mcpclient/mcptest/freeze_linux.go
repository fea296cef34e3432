package mcptest

import "syscall"

// freeze stops this process, which then answers nobody.
func freeze() error { return syscall.Kill(syscall.Getpid(), syscall.SIGSTOP) }
