//go:build linux && (amd64 || arm64)

// Package seccomp makes the system call filter of the embedded backends: an
// allow list that follows Docker's default profile for a process without
// capabilities, less io_uring, the keyrings, foreign socket families, terminal
// injection and every way to a new namespace. It is a list of what is allowed:
// a call that a newer kernel adds is refused until somebody has looked at it.
package seccomp

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// call is one system call and its number on this architecture.
type call struct {
	name string
	nr   uint32
}

// Offsets in struct seccomp_data.
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

// Actions of the filter.
const (
	actAllow = 0x7fff0000
	actErrno = 0x00050000
	actKill  = 0x80000000
)

// x32Bit marks a call of the x32 ABI, which has numbers of its own and so
// would pass by every rule below.
const x32Bit = 0x40000000

// Filter returns the filter as the kernel takes it: an array of struct
// sock_filter in this machine's byte order.
var Filter = sync.OnceValues(func() ([]byte, error) {
	raw, err := bpf.Assemble(program())
	if err != nil {
		return nil, fmt.Errorf("seccomp: assemble: %w", err)
	}
	out := make([]byte, 0, 8*len(raw))
	for _, in := range raw {
		out = binary.NativeEndian.AppendUint16(out, in.Op)
		out = append(out, in.Jt, in.Jf)
		out = binary.NativeEndian.AppendUint32(out, in.K)
	}
	return out, nil
})

// Names lists the calls that are allowed whatever their arguments, sorted.
func Names() []string {
	out := make([]string, len(allowed))
	for i, c := range allowed {
		out[i] = c.name
	}
	return out
}

// program is the whole filter. The calls that depend on their arguments come
// first, each in a block that ends with a verdict; a search tree over ranges
// of numbers answers for the rest in about six comparisons.
func program() []bpf.Instruction {
	prog := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1},
		bpf.RetConstant{Val: actKill},
		bpf.LoadAbsolute{Off: offNr, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32Bit, SkipTrue: 1},
		bpf.RetConstant{Val: actKill},
	}
	for _, c := range conditional() {
		prog = append(prog, bpf.JumpIf{Cond: bpf.JumpEqual, Val: c.nr, SkipFalse: uint8(len(c.block))})
		prog = append(prog, c.block...)
	}
	ranges := merge(allowed)
	last := ranges[len(ranges)-1].hi
	// Programs fall back when a call is unknown and give up when it is
	// forbidden, so a number newer than the table is unknown.
	prog = append(prog,
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: last, SkipFalse: 1},
		errno(unix.ENOSYS))
	return append(prog, tree(ranges)...)
}

// span is an inclusive range of allowed call numbers.
type span struct{ lo, hi uint32 }

// merge turns the calls into sorted ranges.
func merge(calls []call) []span {
	nrs := make([]uint32, len(calls))
	for i, c := range calls {
		nrs[i] = c.nr
	}
	slices.Sort(nrs)
	out := []span{{nrs[0], nrs[0]}}
	for _, n := range nrs[1:] {
		if last := &out[len(out)-1]; n <= last.hi+1 {
			last.hi = n
			continue
		}
		out = append(out, span{n, n})
	}
	return out
}

// tree is a binary search: allow inside a range, EPERM elsewhere.
func tree(r []span) []bpf.Instruction {
	if len(r) == 1 {
		return []bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: r[0].lo, SkipFalse: 2},
			bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: r[0].hi, SkipTrue: 1},
			bpf.RetConstant{Val: actAllow},
			errno(unix.EPERM),
		}
	}
	mid := len(r) / 2
	left := tree(r[:mid])
	out := []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: r[mid].lo, SkipFalse: 1},
		bpf.Jump{Skip: uint32(len(left))},
	}
	return append(append(out, left...), tree(r[mid:])...)
}

// errno refuses the call with e.
func errno(e unix.Errno) bpf.Instruction { return bpf.RetConstant{Val: actErrno | uint32(e)} }
