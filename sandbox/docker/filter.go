package docker

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/chitin-sh/chitin/sandbox/seccomp"
)

// filterJSON is the system-call filter in the form that an engine takes. It
// is the embedded backends' policy, with the calls that are refused for some
// arguments said the other way round: libseccomp drops a narrower refusal
// beside a general permission, so only what remains is permitted.
var filterJSON = sync.OnceValues(func() (string, error) {
	p := seccomp.OCI()
	out := p.Syscalls[:0:0]
	refused := map[string][]uint32{}
	for _, s := range p.Syscalls {
		if s.Action == specs.ActErrno && len(s.Args) == 1 && s.Args[0].Op == specs.OpMaskedEqual && len(s.Names) == 1 {
			refused[s.Names[0]] = append(refused[s.Names[0]], uint32(s.Args[0].ValueTwo))
		}
	}
	for _, s := range p.Syscalls {
		vals := refused[s.Names[0]]
		switch {
		case len(s.Names) != 1 || vals == nil:
			out = append(out, s)
		case s.Action == specs.ActAllow && len(s.Args) == 0:
			out = append(out, allowExcept(s.Names[0], 1, vals)...)
		}
	}
	p.Syscalls = out
	b, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("seccomp: %w", err)
	}
	return string(b), nil
})

// allowExcept permits a call unless the low 32 bits of argument arg are one
// of vals, as a set of permissions: it walks the bits from the top and
// permits every branch that leads to no refused value.
func allowExcept(name string, arg uint, vals []uint32) []specs.LinuxSyscall {
	var out []specs.LinuxSyscall
	var walk func(bit int, mask, val uint64, left []uint32)
	walk = func(bit int, mask, val uint64, left []uint32) {
		for b := range uint64(2) {
			m, v := mask|1<<bit, val|b<<bit
			var in []uint32
			for _, x := range left {
				if uint64(x)&m == v {
					in = append(in, x)
				}
			}
			if len(in) == 0 {
				out = append(out, specs.LinuxSyscall{Names: []string{name}, Action: specs.ActAllow,
					Args: []specs.LinuxSeccompArg{{Index: arg, Op: specs.OpMaskedEqual, Value: m, ValueTwo: v}}})
			} else if bit > 0 {
				walk(bit-1, m, v, in)
			}
		}
	}
	walk(31, 0, 0, vals)
	return out
}
