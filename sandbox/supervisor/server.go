package supervisor

import (
	"encoding/binary"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

// server is the state of PID 1: who is connected and what runs.
type server struct {
	null  int
	nonce string

	wmu  sync.Mutex // serialises frames
	out  int        // -1 while nobody is connected
	wbuf []byte

	mu    sync.Mutex // guards what follows; held across fork so that the reaper never misses a child
	byID  map[uint32]*proc
	byPID map[int]*proc
	wake  *sync.Cond // a child was started
	begun uint64     // children started so far
	alarm alarm

	polled bool  // ends are told by descriptors, on the thread that serves
	watch  watch // used by that thread only
}

func newServer(null int, nonce string) *server {
	s := &server{null: null, nonce: nonce, out: -1, byID: map[uint32]*proc{}, byPID: map[int]*proc{}, polled: watches()}
	s.watch.polls = make([]unix.PollFd, 1, 8)
	s.wake = sync.NewCond(&s.mu)
	return s
}

func (s *server) attach(fd int) {
	s.wmu.Lock()
	s.out = fd
	s.wmu.Unlock()
}

func (s *server) detach() {
	s.wmu.Lock()
	s.out = -1
	s.wmu.Unlock()
}

// send writes one frame. A gateway that went away is noticed by the reader.
func (s *server) send(t proto.Type, stream uint32, payload []byte) {
	s.sendFor(nil, t, stream, payload)
}

// sendFor sends on behalf of a process: nothing follows its Exit.
func (s *server) sendFor(pr *proc, t proto.Type, stream uint32, payload []byte) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.out < 0 || (pr != nil && pr.muted) {
		return
	}
	if pr != nil && t == proto.Exit {
		pr.muted = true
	}
	s.wbuf = proto.Append(s.wbuf[:0], t, stream, payload)
	for b := s.wbuf; len(b) > 0; {
		n, err := unix.Write(s.out, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		b = b[n:]
	}
}

func (s *server) sendU32(t proto.Type, stream, v uint32) {
	var p [4]byte
	binary.LittleEndian.PutUint32(p[:], v)
	s.send(t, stream, p[:])
}

// handle acts on one frame and returns the descriptors that are left. An
// error ends the connection.
func (s *server) handle(h proto.Header, p []byte, fds []int) ([]int, error) {
	switch h.Type {
	case proto.Start:
		c, err := proto.ParseCommand(p)
		if err != nil || len(fds) < c.FDs() {
			return fds, proto.ErrMalformed
		}
		mine := fds[:c.FDs()]
		s.start(h.Stream, &c, mine)
		return fds[len(mine):], nil
	case proto.Ping:
		s.send(proto.Pong, h.Stream, p)
		return fds, nil
	case proto.Reset:
		s.killAll()
		return fds, nil
	}
	s.mu.Lock()
	pr := s.byID[h.Stream]
	s.mu.Unlock()
	if pr == nil {
		return fds, nil // it has just ended
	}
	switch h.Type {
	case proto.Stdin:
		pr.feed(p)
	case proto.StdinEOF:
		pr.feed(nil)
	case proto.Signal:
		if len(p) != 1 {
			return fds, proto.ErrMalformed
		}
		s.signal(pr, syscall.Signal(p[0]))
		s.watch.soon = true
	case proto.Resize:
		if len(p) != 4 {
			return fds, proto.ErrMalformed
		}
		pr.resize(binary.LittleEndian.Uint16(p), binary.LittleEndian.Uint16(p[2:]))
	case proto.Credit:
		n, err := proto.U32(p)
		if err != nil {
			return fds, err
		}
		pr.credit(int(n))
	default:
		return fds, proto.ErrMalformed
	}
	return fds, nil
}

// start runs a command. Its descriptors are closed here in every case.
func (s *server) start(id uint32, c *proto.Command, fds []int) {
	defer closeAll(fds)
	path, err := lookPath(c.Argv[0], c.Dir, c.Env)
	if err != nil {
		s.failed(id, err)
		return
	}
	pr := &proc{id: id, s: s, ptmx: -1, stdin: -1, pidfd: -1, began: time.Now(), window: proto.Window}
	pr.moved = sync.NewCond(&pr.mu)
	files, shut, err := pr.wire(c, fds, s.null)
	if err != nil {
		s.failed(id, err)
		return
	}
	attr := &syscall.ProcAttr{Dir: c.Dir, Env: c.Env, Files: files,
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: c.Flags&proto.FlagPTY != 0, Ctty: 0}}
	if s.polled {
		attr.Sys.PidFD = &pr.pidfd
	}
	s.mu.Lock()
	if _, dup := s.byID[id]; dup || len(s.byID) >= proto.MaxStreams {
		s.mu.Unlock()
		closeAll(shut)
		pr.abandon()
		s.failed(id, unix.EBUSY)
		return
	}
	pid, err := syscall.ForkExec(path, c.Argv, attr)
	if err == nil {
		pr.pid = pid
		s.byID[id], s.byPID[pid] = pr, pr
		s.begun++
		if s.polled {
			s.watch.add(pr)
		} else {
			s.wake.Signal()
		}
		if c.TimeoutMS > 0 {
			pr.deadline = pr.began.Add(time.Duration(c.TimeoutMS) * time.Millisecond)
			s.due(pr.deadline)
		}
	}
	s.mu.Unlock()
	closeAll(shut)
	if err != nil {
		pr.abandon()
		s.failed(id, err)
		return
	}
	if c.Flags&proto.FlagStarted != 0 {
		s.sendU32(proto.Started, id, uint32(pid))
	}
	pr.pump()
}

func (s *server) failed(id uint32, err error) {
	e, ok := err.(syscall.Errno)
	if !ok {
		e = syscall.EIO
	}
	s.sendU32(proto.Failed, id, uint32(e))
}

// reap waits for every child there ever is, ours and those orphaned to us,
// where their ends are not told by descriptors.
func (s *server) reap() {
	seen := uint64(0)
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		s.mu.Lock()
		if err != nil { // no child at all: sleep until one has been started since
			for s.begun == seen {
				s.wake.Wait()
			}
			seen = s.begun
			s.mu.Unlock()
			continue
		}
		s.mu.Unlock()
		s.reaped(pid, ws)
	}
}

// reaped reports the end of a command; orphans end silently.
func (s *server) reaped(pid int, ws syscall.WaitStatus) {
	s.mu.Lock()
	pr := s.byPID[pid]
	if pr != nil {
		delete(s.byPID, pid)
		if len(pr.outs) == 0 { // else its output still needs the gateway's credit
			s.forget(pr)
		}
		s.watch.drop(pr)
	}
	killed := pr != nil && pr.killed
	s.mu.Unlock()
	switch {
	case pr == nil:
	case killed && s.polled:
		s.watch.last = append(s.watch.last, lastRites{pr, ws, time.Now().Add(groupWait)})
	default:
		pr.ended(ws)
	}
}

// forget frees a command's number; the server is locked.
func (s *server) forget(pr *proc) {
	if s.byID[pr.id] == pr {
		delete(s.byID, pr.id)
	}
}

// signal reaches the process's whole group; a kill also whatever descends
// from it and left the group.
func (s *server) signal(pr *proc, sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byPID[pr.pid] != pr { // reaped: the number may be somebody else's
		return
	}
	if sig != syscall.SIGKILL {
		_ = syscall.Kill(-pr.pid, sig)
		return
	}
	pr.killed = true
	killTree(pr.pid)
}

// disown kills what a gateway that went away has left, and forgets its
// numbers: the next one counts from the beginning and must not hear of it.
func (s *server) disown() {
	s.mu.Lock()
	s.wmu.Lock()
	for _, pr := range s.byID {
		pr.muted = true
		pr.credit(proto.Window) // what its pipes still hold goes nowhere
	}
	s.wmu.Unlock()
	clear(s.byID)
	s.mu.Unlock()
	s.killAll()
}

// killAll ends everything in the box. Outside of one it does nothing.
func (s *server) killAll() {
	if os.Getpid() != 1 {
		return
	}
	_ = syscall.Kill(-1, syscall.SIGKILL)
}
