package launch

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Op names one kind of step.
type Op byte

// The steps, with their arguments. Paths of sources are host paths; paths of
// targets are inside the new root.
const (
	OpMkdir    Op = iota + 1 // path, mode
	OpFile                   // path, mode, content
	OpSymlink                // target, path
	OpBind                   // source, path, attributes, Optional or Identity or ""
	OpPlace                  // descriptor, path, attributes: a detached mount
	OpMount                  // type, path, flags, data
	OpMask                   // path: hidden when it exists
	OpReadOnly               // path: made read-only when it exists
	OpRestrict               // path, attributes: this mount alone
	OpSeal                   // leaves the host's tree and makes the root read-only
	OpHostname               // name
	OpLoopback               // brings lo up
	OpCgroup                 // unshares the cgroup namespace
	OpRlimit                 // resource, soft, hard
	OpCaps                   // drops every capability for good
	OpLandlock               // path, "ro", "rw" or "dev", …: three rules of access
	OpSeccomp                // filter
	OpGate                   // waits for one byte behind the plan
	OpExec                   // path, argument count, arguments…, environment…
)

// Attributes of a bind, or'ed together.
const (
	AttrReadOnly = 1 << iota
	AttrNoExec
	AttrDevices // keep device nodes usable
)

// maxPlan bounds an encoded plan in bytes.
const maxPlan = 1 << 20

// Optional marks a bind whose source may be missing.
const Optional = "optional"

// Identity is the argument of a bind that must show this very file, whatever
// its path leads to by then.
func Identity(dev, ino uint64) string {
	return strconv.FormatUint(dev, 16) + ":" + strconv.FormatUint(ino, 16)
}

// Step is one step of a plan.
type Step struct {
	Op   Op
	Args []string
}

// errPlan is returned for bytes that are no plan.
var errPlan = errors.New("launch: malformed plan")

// Frame puts the length that the launcher expects before an encoded plan.
func Frame(plan []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(plan))), plan...)
}

// Encode writes steps as the launcher reads them: a count, then for each step
// its op, its number of arguments and each argument behind its length.
func Encode(steps []Step) ([]byte, error) {
	out := binary.AppendUvarint(nil, uint64(len(steps)))
	for _, s := range steps {
		out = append(out, byte(s.Op))
		out = binary.AppendUvarint(out, uint64(len(s.Args)))
		for _, a := range s.Args {
			out = binary.AppendUvarint(out, uint64(len(a)))
			out = append(out, a...)
		}
	}
	if len(out) > maxPlan {
		return nil, errors.New("launch: the plan is too large")
	}
	return out, nil
}

// Decode reads what Encode wrote.
func Decode(b []byte) ([]Step, error) {
	n, b, err := count(b)
	if err != nil {
		return nil, err
	}
	steps := make([]Step, 0, n)
	for range n {
		if len(b) == 0 {
			return nil, errPlan
		}
		s := Step{Op: Op(b[0])}
		var args int
		if args, b, err = count(b[1:]); err != nil {
			return nil, err
		}
		s.Args = make([]string, 0, args)
		for range args {
			var size int
			if size, b, err = count(b); err != nil {
				return nil, err
			}
			s.Args = append(s.Args, string(b[:size]))
			b = b[size:]
		}
		steps = append(steps, s)
	}
	if len(b) != 0 {
		return nil, errPlan
	}
	return steps, nil
}

// count reads a length, which can be no more than the bytes that follow it.
func count(b []byte) (int, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || v > uint64(len(b)-n) {
		return 0, nil, errPlan
	}
	return int(v), b[n:], nil
}
