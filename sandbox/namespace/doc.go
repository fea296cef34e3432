// Package namespace is the embedded backend that needs nothing but a Linux
// kernel: a box is a set of user, mount, pid, network, ipc, uts and cgroup
// namespaces with a read-only minimum of the host, without any capability,
// under Landlock and a system call filter. It shares the kernel with the host
// and so is the weakest of the tiers. A box dies with the gateway; nothing of
// it survives but empty control groups, which Sweep removes.
package namespace
