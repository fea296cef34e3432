//go:build linux

package launch

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Name is the argv[0] that makes a binary run Main.
const Name = "chitin-launch"

// Descriptors that the launcher is started with.
const (
	ControlFD = 0 // the supervisor's channel to the gateway; kept
	PlanFD    = 3 // the plan is read from here
	StatusFD  = 4 // closed by a successful exec; a message means failure
	FirstFD   = 5 // detached mounts, in the order of their OpPlace steps
)

// old is where the host's tree hangs while the root is built.
const old = "/.host"

// Wanted reports whether this process was started as the launcher.
func Wanted() bool { return len(os.Args) > 0 && os.Args[0] == Name }

// MaybeRun turns the process into the launcher when it was started as one and
// otherwise returns at once.
func MaybeRun() {
	if Wanted() {
		Main()
	}
}

// Main carries out the plan and never returns. Every privilege that it drops
// is dropped on one thread, which is the one that executes the supervisor.
func Main() {
	runtime.LockOSThread()
	if err := run(); err != nil {
		_, _ = unix.Write(StatusFD, []byte(err.Error()))
	}
	os.Exit(127)
}

func run() error {
	// Whatever else was inherited ends here, whoever left it open.
	if err := unix.CloseRange(PlanFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return because("close_range", err)
	}
	unix.Umask(0o022)
	head, err := readPlan(4)
	if err != nil {
		return err
	}
	size := binary.LittleEndian.Uint32(head)
	if size > maxPlan {
		return errPlan
	}
	b, err := readPlan(int(size))
	if err != nil {
		return err
	}
	steps, err := Decode(b)
	if err != nil {
		return err
	}
	if err := enterRoot(); err != nil {
		return err
	}
	for _, s := range steps {
		if err := s.run(); err != nil {
			return because(s.Op.String()+" "+first(s.Args), err)
		}
	}
	return failed("the plan ends without a program")
}

// readPlan reads n bytes; an early end means that the gateway is gone.
func readPlan(n int) ([]byte, error) {
	b := make([]byte, n)
	for at := 0; at < n; {
		k, err := unix.Read(PlanFD, b[at:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || k == 0 {
			return nil, failed("read the plan: the gateway went away")
		}
		at += k
	}
	return b, nil
}

// failed is an error that is only text; because puts what was tried before a
// cause. Package fmt would double the size of the program.
type failed string

func (f failed) Error() string { return string(f) }

func because(what string, err error) error { return failed(what + ": " + err.Error()) }

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0][:min(len(args[0]), 200)]
}

// enterRoot puts an empty file system in memory in the place of the root and
// hangs the host's tree below it, until OpSeal lets go of it.
func enterRoot() error {
	// A dead gateway takes the sandbox with it, from the first instant.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return because("parent death signal", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return because("make mounts private", err)
	}
	// Whatever directory serves as the base is whole again after the pivot.
	const base = "/proc"
	if err := unix.Mount("root", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=1m,nr_inodes=2000"); err != nil {
		return because("mount the root", err)
	}
	if err := unix.Mkdir(base+old, 0o700); err != nil {
		return because("mkdir", err)
	}
	if err := unix.PivotRoot(base, base+old); err != nil {
		return because("pivot_root", err)
	}
	return unix.Chdir("/")
}

// String names the step in errors.
func (o Op) String() string {
	names := [...]string{"?", "mkdir", "file", "symlink", "bind", "place", "mount", "mask", "read-only",
		"restrict", "seal", "hostname", "loopback", "cgroup", "rlimit", "capabilities", "landlock", "seccomp", "gate", "exec"}
	if int(o) < len(names) {
		return names[o]
	}
	return "step " + strconv.Itoa(int(o))
}

// run carries out one step.
func (s Step) run() error {
	arg := func(i int) string {
		if i < len(s.Args) {
			return s.Args[i]
		}
		return ""
	}
	switch s.Op {
	case OpMkdir:
		return mkdirAll(arg(0), mode(arg(1)))
	case OpFile:
		return writeFile(arg(0), mode(arg(1)), arg(2))
	case OpSymlink:
		return unix.Symlink(arg(0), arg(1))
	case OpBind:
		return bind(arg(0), arg(1), number(arg(2)), arg(3))
	case OpPlace:
		return place(int(number(arg(0))), arg(1), number(arg(2)))
	case OpMount:
		return mountFS(arg(0), arg(1), uintptr(number(arg(2))), arg(3))
	case OpMask:
		return mask(arg(0))
	case OpReadOnly:
		return readOnly(arg(0))
	case OpRestrict:
		return restrict(arg(0), number(arg(1)), false)
	case OpSeal:
		return seal()
	case OpHostname:
		return unix.Sethostname([]byte(arg(0)))
	case OpLoopback:
		return loopback()
	case OpCgroup:
		return unix.Unshare(unix.CLONE_NEWCGROUP)
	case OpRlimit:
		return unix.Setrlimit(int(number(arg(0))), &unix.Rlimit{Cur: number(arg(1)), Max: number(arg(2))})
	case OpCaps:
		return dropCaps()
	case OpLandlock:
		return landlock(s.Args)
	case OpSeccomp:
		return filter([]byte(arg(0)))
	case OpGate:
		_, err := readPlan(1)
		return err
	case OpExec:
		return execute(arg(0), s.Args[1:])
	}
	return errPlan
}

func number(s string) uint64 { n, _ := strconv.ParseUint(s, 0, 64); return n }

func mode(s string) uint32 { return uint32(number(s)) }

// supervisorSlack spares the supervisor to start itself again for it.
const supervisorSlack = 8_000_000

// execute becomes the supervisor. args holds the number of arguments, the
// arguments and the environment.
func execute(path string, args []string) error {
	if len(args) == 0 || number(args[0]) > uint64(len(args)-1) {
		return errPlan
	}
	n := int(number(args[0]))
	// Changing identity and dropping capabilities cleared it.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	if filepath.Base(path) == "sup" {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, supervisorSlack, 0, 0, 0)
	}
	return unix.Exec(path, args[1:1+n], args[1+n:])
}
