// Package launch is the first program inside a namespace sandbox. The gateway
// starts it as process 1 of fresh user, mount, pid, net, ipc and uts
// namespaces and sends it a plan: a list of steps that build a small root from
// read-only pieces of the host, take every privilege away and execute the
// supervisor. It does nothing of its own accord, keeps no state and imports
// little, so that it starts within a millisecond.
//
// The plan comes from the gateway and is trusted; nothing from the sandbox
// reaches this program, since it is gone before the first command runs.
package launch
