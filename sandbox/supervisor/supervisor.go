// Package supervisor is PID 1 of every box: it starts the commands that the
// gateway asks for, reaps whatever ends, and says so. It links into a small
// static program (cmd/chitin-sup) and, as a fallback, into chitin itself. It
// holds no secret beyond the nonce that proves which box it is, makes itself
// non-dumpable before anything else runs, and has no more rights than the
// commands it starts.
package supervisor

import (
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox/probe/inside"
	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

// How the box tells its supervisor what it is. The variables are not passed
// on to commands.
const (
	EnvSocket = "CHITIN_SUP_SOCKET" // path to dial; absent: descriptors 0 and 1
	EnvNonce  = "CHITIN_SUP_NONCE"
	EnvEgress = "CHITIN_SUP_EGRESS" // socket of the gateway's proxy, offered on EgressPort
	EnvLinger = "CHITIN_SUP_LINGER" // seconds to wait for a gateway that went away

	// EgressPort is the loopback port inside on which the proxy is offered.
	EgressPort = 3128

	// Path is where backends put the program inside a box.
	Path = "/.chitin/sup"
	// Arg makes any binary that calls MaybeRun the supervisor.
	Arg = "__supervisor"
)

// MaybeRun turns the process into a supervisor when it was started as one and
// otherwise returns at once. Call it before anything else in main.
func MaybeRun() {
	switch {
	case len(os.Args) > 1 && os.Args[1] == Arg:
		os.Exit(Main(os.Args[2:]))
	case len(os.Args) > 0 && os.Args[0] == Path:
		os.Exit(Main(os.Args[1:]))
	}
}

// Main runs one of the program's modes and returns its exit code: supervise
// (the default), probe, file for a file operation inside, or keep.
func Main(args []string) int {
	mode := "supervise"
	if len(args) > 0 {
		mode, args = args[0], args[1:]
	}
	switch mode {
	case "supervise":
		return supervise()
	case "probe":
		return inside.Run(os.Stdout, args)
	case "file":
		return fileOp(args)
	case Keep:
		return keep(args)
	}
	_, _ = os.Stderr.WriteString(filepath.Base(os.Args[0]) + ": unknown mode " + mode + "\n")
	return 2
}

// deaf are the signals that would end or stop us otherwise: all, but for those
// that nothing can change, the ends of children, and the runtime's own.
func deaf() []os.Signal {
	var out []os.Signal
	for n := syscall.Signal(1); n <= 64; n++ {
		switch n {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF, 32, 33:
		default:
			out = append(out, n)
		}
	}
	return out
}

func supervise() int {
	// Its last act is to kill whatever it can see: outside a box of its own
	// that would be everything.
	if os.Getpid() != 1 {
		_, _ = os.Stderr.WriteString(filepath.Base(os.Args[0]) + ": only the first process of a sandbox can be its supervisor\n")
		return 2
	}
	// Before any command can exist: nobody inside may trace PID 1 or read its
	// memory, descriptors or environment.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return 1
	}
	runtime.LockOSThread() // the first thread: it gets all orphans' signals
	defer runtime.UnlockOSThread()
	relax()
	sparing()
	// Commands run as the same user and may signal us; a handler that does
	// nothing keeps PID 1 alive and, unlike ignoring, is not inherited.
	signal.Notify(make(chan os.Signal, 1), deaf()...)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 1
	}
	s := newServer(null, os.Getenv(EnvNonce))
	sock, out := os.Getenv(EnvSocket), os.Getenv(EnvEgress)
	linger := 1800
	if n, err := strconv.Atoi(os.Getenv(EnvLinger)); err == nil && n >= 0 {
		linger = n
	}
	os.Clearenv()
	if !s.polled {
		go s.reap()
	}
	if out != "" {
		go offer(out)
	}
	if sock == "" {
		s.serve(0, 1)
		s.killAll()
		return 0
	}
	return s.await(sock, time.Duration(linger)*time.Second)
}

// await serves one gateway after the other. It ends when none came for as
// long as linger, or when the directory of the socket was removed: then none
// can come.
func (s *server) await(sock string, linger time.Duration) int {
	since := time.Now()
	for time.Since(since) < linger {
		fd, err := dial(sock)
		if err != nil {
			if removed(filepath.Dir(sock)) {
				return 0
			}
			pause := 20 * time.Millisecond
			if time.Since(since) > 5*time.Second {
				pause = 300 * time.Millisecond
			}
			time.Sleep(pause)
			if s.polled {
				s.sweep()
				s.bury()
			}
			continue
		}
		quit := s.serve(fd, fd)
		_ = unix.Close(fd)
		s.disown()
		if quit {
			return 0
		}
		since = time.Now()
	}
	return 0
}

// removed reports whether a mounted directory has lost its name on the host.
func removed(dir string) bool {
	var st unix.Stat_t
	return unix.Stat(dir, &st) == nil && st.Nlink == 0
}

func dial(path string) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// serve speaks with one gateway until it goes away or says quit.
func (s *server) serve(in, out int) (quit bool) {
	fds := isSocket(in)
	s.attach(out)
	defer s.detach()
	feat := uint8(proto.FeaturePTY)
	if fds {
		feat |= proto.FeatureFDs
	}
	s.send(proto.Hello, 0, proto.HelloInfo{Version: proto.Version, Features: feat, Nonce: s.nonce}.Append(nil))
	r := proto.NewReader(8 << 10)
	var queue []int // descriptors that arrived, in order
	defer func() { closeAll(queue) }()
	oob := make([]byte, unix.CmsgSpace(16*4))
	for {
		if s.polled {
			s.untilHeard(in)
		}
		n, got, err := receive(in, r.Space(), oob, fds)
		queue = append(queue, got...)
		if err != nil || n == 0 || len(queue) > 64 {
			return false
		}
		r.Advance(n)
		for {
			h, p, ok, err := r.Next()
			if err != nil {
				return false
			}
			if !ok {
				break
			}
			if h.Type == proto.Quit {
				return true
			}
			if queue, err = s.handle(h, p, queue); err != nil {
				return false
			}
		}
	}
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// receive reads bytes and, on a socket, the descriptors that came with them.
func receive(fd int, p, oob []byte, socket bool) (int, []int, error) {
	for {
		if !socket {
			n, err := unix.Read(fd, p)
			if err == unix.EINTR {
				continue
			}
			return n, nil, err
		}
		n, on, flags, _, err := unix.Recvmsg(fd, p, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil || on == 0 {
			return n, nil, err
		}
		msgs, err := unix.ParseSocketControlMessage(oob[:on])
		if err != nil {
			return 0, nil, err
		}
		var fds []int
		for i := range msgs {
			got, err := unix.ParseUnixRights(&msgs[i])
			if err != nil {
				return 0, fds, err
			}
			fds = append(fds, got...)
		}
		if flags&unix.MSG_CTRUNC != 0 {
			return 0, fds, unix.EPROTO
		}
		return n, fds, nil
	}
}
