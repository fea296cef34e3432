package docker

import (
	"maps"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// keepID is the user namespace in which a Podman without root maps its user to
// the same number: the one who owns the workspace. Any other user would be one
// of its subordinate numbers, to whom nothing of the host belongs.
const keepID = "keep-id"

// podmanDefaults are the limits that Podman asks its runtime for where a
// request names none.
func podmanDefaults() map[string]int {
	return map[string]int{"nproc": unix.RLIMIT_NPROC, "nofile": unix.RLIMIT_NOFILE}
}

// podmanLimits names those limits where Podman's defaults lie above this
// machine's: a root without CAP_SYS_RESOURCE, as in many virtual machines and
// containers, may not raise them and no container would start. What bounds the
// box's processes is the control group either way.
func podmanLimits(l sandbox.Limits, have func(resource int) (hard uint64, err error)) sandbox.Limits {
	const most = 1 << 20
	l.Ulimits = maps.Clone(l.Ulimits)
	if l.Ulimits == nil {
		l.Ulimits = map[string][2]int64{}
	}
	for name, resource := range podmanDefaults() {
		hard, err := have(resource)
		if _, named := l.Ulimits[name]; named || err != nil || hard >= most {
			continue
		}
		l.Ulimits[name] = [2]int64{int64(hard), int64(hard)}
	}
	return l
}

// hardLimit is this process's own. For processes it is no more than the kernel
// has numbers, to which Podman lowers its own.
func hardLimit(resource int) (uint64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(resource, &l); err != nil || resource != unix.RLIMIT_NPROC {
		return l.Max, err
	}
	b, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return 0, err
	}
	most, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return min(l.Max, most), err
}
