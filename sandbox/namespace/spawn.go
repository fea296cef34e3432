//go:build linux

package namespace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox/cgroup"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
)

// newNamespaces are the namespaces of a box. The cgroup namespace follows once
// the box is in its group.
const newNamespaces = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
	syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// Identity maps one user of the box to one of the host.
type Identity struct {
	uid, gid         int // inside
	hostUID, hostGID int
	privileged       bool // the gateway is root
}

// init is process 1 of a box, seen from the gateway.
type initProcess struct {
	cmd    *exec.Cmd
	plan   *os.File
	status *os.File
	done   chan struct{}
	born   bool  // in its group already
	err    error // valid after done
}

// spawn starts the launcher in new namespaces with in and out as its
// standard input and output. files become descriptors from launch.FirstFD on; they are
// not closed here. said receives what the program complains about; nil
// discards it. The process is in group g, unless that is nil, before it runs.
func spawn(launcher string, id Identity, in, out *os.File, files []*os.File, said io.Writer, g *cgroup.Group) (*initProcess, error) {
	exe, err := os.Open(launcher)
	if err != nil {
		return nil, fmt.Errorf("open the launcher: %w", err)
	}
	defer exe.Close()
	planR, planW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer planR.Close()
	statusR, statusW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, planW.Close())
	}
	defer statusW.Close()
	p := &initProcess{plan: planW, status: statusR, done: make(chan struct{})}
	extra := append(append([]*os.File{planR, statusW}, files...), exe)
	p.cmd = &exec.Cmd{
		// The path may lie in a directory that only the gateway may enter.
		Path:        fmt.Sprintf("/proc/self/fd/%d", launch.PlanFD+len(extra)-1),
		Args:        []string{launch.Name},
		Env:         []string{"GOMAXPROCS=1", "GOGC=off"},
		Dir:         "/",
		Stdin:       in,
		Stdout:      out,
		Stderr:      said,
		ExtraFiles:  extra,
		SysProcAttr: id.attributes(),
	}
	if err := p.start(g); err != nil {
		return nil, errors.Join(fmt.Errorf("start in new namespaces: %w", err), planW.Close(), statusR.Close())
	}
	return p, nil
}

func (id Identity) attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags:  newNamespaces,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: id.uid, HostID: id.hostUID, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: id.gid, HostID: id.hostGID, Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP},
		Pdeathsig:   syscall.SIGKILL,
		Setsid:      true,
	}
	if id.privileged {
		// Root's own groups must not follow into the box.
		a.GidMappingsEnableSetgroups = true
		a.Credential = &syscall.Credential{Uid: uint32(id.uid), Gid: uint32(id.gid)}
	}
	return a
}

// start forks on a thread that lives as long as the child: the kernel sends
// the parent death signal when the thread ends, not the process.
func (p *initProcess) start(g *cgroup.Group) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := p.fork(g)
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	return <-started
}

// fork starts the process in its group. Where it cannot be born there, send
// moves it.
func (p *initProcess) fork(g *cgroup.Group) error {
	if g == nil {
		return p.cmd.Start()
	}
	if f, err := g.FD(); err == nil {
		defer f.Close()
		p.cmd.SysProcAttr.UseCgroupFD, p.cmd.SysProcAttr.CgroupFD = true, int(f.Fd())
		p.born = true
		return p.cmd.Start()
	}
	leave, err := g.Enter()
	if err != nil {
		return p.cmd.Start()
	}
	p.born = true
	if err = p.cmd.Start(); err != nil {
		return errors.Join(err, leave())
	}
	if err = leave(); err != nil { // the gateway must not stay in a box's group
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	return err
}

// send writes the plan, puts the process into its group if it is not there,
// while the launcher is at work, and lets it go.
func (p *initProcess) send(ctx context.Context, steps []launch.Step, g *cgroup.Group) error {
	b, err := launch.Encode(steps)
	if err != nil {
		return err
	}
	if d, ok := ctx.Deadline(); ok {
		_ = p.plan.SetWriteDeadline(d)
	}
	defer p.plan.Close()
	if _, err := p.plan.Write(launch.Frame(b)); err != nil {
		return p.explain(err)
	}
	if g != nil && !p.born {
		if err := g.Add(p.cmd.Process.Pid); err != nil {
			return err
		}
	}
	if _, err := p.plan.Write([]byte{1}); err != nil {
		return p.explain(err)
	}
	return nil
}

// running waits until the launcher has become the supervisor.
func (p *initProcess) running(ctx context.Context) error {
	defer p.status.Close()
	if d, ok := ctx.Deadline(); ok {
		_ = p.status.SetReadDeadline(d)
	}
	stop := context.AfterFunc(ctx, func() { _ = p.status.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b, err := io.ReadAll(io.LimitReader(p.status, 4096))
	if err != nil {
		return errors.Join(err, ctx.Err())
	}
	if len(b) > 0 {
		return fmt.Errorf("launcher: %s", b)
	}
	return nil
}

// explain prefers what the launcher said over a broken pipe.
func (p *initProcess) explain(err error) error {
	_ = p.status.SetReadDeadline(time.Now().Add(time.Second))
	b, rerr := io.ReadAll(io.LimitReader(p.status, 4096))
	if rerr == nil && len(b) > 0 {
		return fmt.Errorf("launcher: %s", b)
	}
	return err
}

// Done is closed when the box has ended.
func (p *initProcess) Done() <-chan struct{} { return p.done }

// Kill ends the box: the kernel kills every process of a pid namespace with
// its first, and drops the mounts with the last.
func (p *initProcess) Kill(ctx context.Context) error {
	_ = p.cmd.Process.Kill()
	_ = p.plan.Close()
	_ = p.status.Close()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *initProcess) killNow() error {
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	return p.Kill(ctx)
}

// lastWords keeps the beginning of what a program said on standard error.
type lastWords struct {
	mu sync.Mutex
	b  []byte
}

// Write never fails, whatever the program says.
func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, p[:min(len(p), 2048-len(w.b))]...)
	return len(p), nil
}

// add puts what was said behind an error.
func (w *lastWords) add(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text := strings.TrimSpace(string(w.b)); text != "" {
		return fmt.Errorf("%w; it said: %q", err, text)
	}
	return err
}
