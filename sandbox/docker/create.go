package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/sandbox"
	supclient "github.com/chitin-sh/chitin/sandbox/supervisor/client"
	"github.com/chitin-sh/chitin/sandbox/supervisor/livebox"
	"github.com/chitin-sh/chitin/sandbox/workspace"
)

const (
	createTime = 90 * time.Second
	greetTime  = 20 * time.Second
	makeTime   = time.Minute     // for the engine to answer at all
	lateTime   = 2 * time.Second // that a caller who gave up waits for it
	removeTime = 30 * time.Second
	nonceFile  = "nonce"
	ctlName    = "ctl"
	// linger is how long a supervisor waits for a gateway that went away.
	linger = 30 * time.Minute
)

// Create makes and starts one container and waits for its supervisor.
func (e *Engine) Create(ctx context.Context, r sandbox.Request) (sandbox.Box, error) {
	st := e.Status(ctx)
	if !st.Available {
		return nil, fmt.Errorf("%w: %s: %s", sandbox.ErrUnavailable, e.o.Name, st.Reason)
	}
	if st.Refuse != "" {
		return nil, fmt.Errorf("%w: %s", sandbox.ErrRefused, st.Refuse)
	}
	api, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	p, err := e.plan(ctx, api, r)
	if err != nil {
		return nil, err
	}
	// Removal must happen even when the caller has gone, so creation has a
	// deadline of its own and is never abandoned half-way.
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTime)
	defer cancel()
	box, err := e.start(cctx, api, p)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		_ = box.Close(cctx)
		return nil, err
	}
	return box, nil
}

// plan prepares what the container is made from: directories, program, image.
func (e *Engine) plan(ctx context.Context, api *client.Client, r sandbox.Request) (plan, error) {
	p := plan{r: r, state: e.state, nonce: rand.Text(), ctl: filepath.Join(r.Dir, ctlName), linger: int(linger / time.Second), labels: e.o.Labels,
		attach: e.attaches(r.Spec), limits: r.Spec.Limits}
	if ownKernel(r.Spec) && p.limits.Memory > 0 && p.limits.Pids > 0 {
		p.limits = ownLimits(p.limits)
	}
	if r.Ephemeral {
		p.linger = 3
	}
	if p.attach && r.Spec.Network == "egress" {
		return p, fmt.Errorf("%w: network egress needs a mounted socket, which runtime %q does not pass; use network none", sandbox.ErrRefused, r.Spec.Runtime)
	}
	if e.o.Supervisor == nil {
		return p, fmt.Errorf("%w: no supervisor program", sandbox.ErrUnavailable)
	}
	var err error
	if p.sup, err = e.o.Supervisor(); err != nil {
		return p, fmt.Errorf("%w: the supervisor program: %w", sandbox.ErrUnavailable, err)
	}
	if p.filter = r.Spec.Seccomp; p.filter == "" {
		if p.filter, err = filterJSON(); err != nil {
			return p, err
		}
	}
	if e.isPodman() {
		p.limits, p.keepID = podmanLimits(p.limits, hardLimit), os.Geteuid() != 0
		p.filterFile = filepath.Join(r.Dir, "seccomp.json")
		if err := os.WriteFile(p.filterFile, []byte(p.filter), 0o600); err != nil {
			return p, fmt.Errorf("box directory: %w", err)
		}
	}
	if p.image, err = e.ensureImage(ctx, api, r.Spec, r.Progress); err != nil {
		return p, err
	}
	// Others are kept out by the directory above; the box's user must be able
	// to reach the socket in this one.
	if err := os.MkdirAll(p.ctl, 0o755); err != nil {
		return p, fmt.Errorf("control directory: %w", err)
	}
	if err := os.Chmod(p.ctl, 0o755); err != nil {
		return p, fmt.Errorf("control directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(r.Dir, nonceFile), []byte(p.nonce), 0o600); err != nil {
		return p, fmt.Errorf("box directory: %w", err)
	}
	return p, nil
}

func (e *Engine) start(ctx context.Context, api *client.Client, p plan) (_ sandbox.Box, err error) {
	opts := p.options()
	if err := verify(opts, p); err != nil {
		return nil, err
	}
	if e.weaken != nil {
		e.weaken(&opts)
	}
	var l *supclient.Listener
	if !p.attach {
		if l, err = supclient.Listen(p.ctl); err != nil {
			return nil, err
		}
		defer l.Close()
	}
	id, err := e.order(ctx, api, opts)
	if err != nil {
		e.lost()
		return nil, e.unavailable("create the sandbox", err)
	}
	defer func() {
		if err != nil {
			_ = e.remove(api, id)
		}
	}()
	var rw io.ReadWriteCloser
	if p.attach {
		if rw, err = attach(ctx, api, id); err != nil {
			return nil, e.unavailable("attach to the sandbox", err)
		}
	}
	if _, err = api.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return nil, e.unavailable("start the sandbox", err)
	}
	if !p.attach {
		actx, cancel := context.WithTimeout(ctx, greetTime)
		stop := e.watchDeath(actx, cancel, api, id)
		rw, err = l.Accept(actx)
		stop()
		cancel()
		if err != nil {
			return nil, fmt.Errorf("start the sandbox: %w", err)
		}
	}
	conn, err := supclient.New(ctx, rw, supclient.Options{Nonce: p.nonce, NoFDs: p.attach})
	if err != nil {
		return nil, err
	}
	if p.r.Prove || len(p.r.Spec.Mounts) > 0 {
		if err = prove(ctx, conn, p.r.Spec, p.filterFile != ""); err != nil {
			return nil, err
		}
	}
	box, err := e.box(api, p.r, id, p.image, 0, conn)
	return box, err
}

// order asks the engine for a container. An engine goes on making it when whoever
// asked has hung up, and nobody would know its number then: so the answer is
// heard to its end, a while by the caller too, and what is late is removed.
func (e *Engine) order(ctx context.Context, api *client.Client, o client.ContainerCreateOptions) (string, error) {
	type answer struct {
		id  string
		err error
	}
	full, stop := context.WithTimeout(context.WithoutCancel(ctx), makeTime)
	heard, gone := make(chan answer, 1), make(chan struct{})
	go func() {
		defer close(gone)
		defer stop()
		made, err := api.ContainerCreate(full, o)
		if err == nil && ctx.Err() != nil {
			err = errors.Join(ctx.Err(), e.remove(api, made.ID))
		}
		heard <- answer{made.ID, err}
	}()
	select {
	case a := <-heard:
		return a.id, a.err
	case <-ctx.Done():
	}
	select {
	case <-gone:
	case <-time.After(lateTime):
		go func() { // made just before the end of ctx, and answered after it
			if a := <-heard; a.err == nil {
				_ = e.remove(api, a.id)
			}
		}()
		return "", ctx.Err()
	}
	if a := <-heard; a.err == nil {
		_ = e.remove(api, a.id)
	}
	return "", ctx.Err()
}

// watchDeath ends a wait early when the container is gone already.
func (e *Engine) watchDeath(ctx context.Context, cancel context.CancelFunc, api *client.Client, id string) (stop func()) {
	done := make(chan struct{})
	go func() {
		t := time.NewTicker(500 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			case <-t.C:
				in, err := api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
				if err != nil || in.Container.State == nil || !in.Container.State.Running {
					cancel()
					return
				}
			}
		}
	}()
	return func() { close(done) }
}

// box wraps a connected container; pid is its first process, or 0 for one
// that has just been made.
func (e *Engine) box(api *client.Client, r sandbox.Request, id, image string, pid int, conn *supclient.Conn) (*livebox.Box, error) {
	s := r.Spec
	uid, gid, err := splitUser(s.User)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	o := workspace.Options{Workdir: sandbox.Workdir, ReadOnly: s.ReadOnly(), IntentDir: filepath.Join(r.Dir, "intent"), Durable: s.Durable}
	if os.Getuid() == 0 {
		o.UID, o.GID = uid, gid
	}
	if err := securefile.MkdirAll(o.IntentDir); err != nil {
		_ = conn.Close()
		return nil, err
	}
	files, err := workspace.Open(s.Workspace, o)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open the workspace: %w", err)
	}
	var inside []string
	for _, m := range s.Mounts {
		inside = append(inside, m.Target)
	}
	for _, t := range s.Tmpfs {
		inside = append(inside, t.Path)
	}
	inside = append(inside, "/")
	group := e.group(api, id, pid)
	out, err := openEgress(r)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return livebox.New(livebox.Options{
		Info: sandbox.Info{ID: r.ID, Backend: e.o.Name, Tier: string(e.tier(s)), Scope: r.Owner.Scope, Key: r.Owner.Key, Tenant: r.Owner.Tenant,
			Image: image, Workdir: sandbox.Workdir, Workspace: s.Workspace, Access: s.Access, Hash: s.Hash(), Created: time.Now()},
		Conn: conn, Files: files, Env: s.Env, Inside: inside,
		OOMKills: oomKills(group, pid != 0), PIDs: pids(group), Memory: s.Limits.Memory,
		Stop: func(context.Context) error { out.Close(); return e.remove(api, id) }, Let: out.Close,
	}), nil
}

// attaches reports whether boxes of a spec are spoken to over the engine: a
// kernel of its own passes no socket of the host's.
func (e *Engine) attaches(s sandbox.Spec) bool { return e.o.Attach || ownKernel(s) }

func (e *Engine) tier(s sandbox.Spec) sandbox.Tier {
	if ownKernel(s) {
		return sandbox.TierGVisor
	}
	return sandbox.TierContainer
}

func splitUser(u string) (uid, gid int, err error) {
	a, b, ok := strings.Cut(u, ":")
	uid, err1 := strconv.Atoi(a)
	gid, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || uid <= 0 || gid <= 0 {
		return 0, 0, fmt.Errorf("%w: user %q", sandbox.ErrRefused, u)
	}
	return uid, gid, nil
}

// remove kills and removes a container, whatever state it is in, with a
// deadline of its own.
func (e *Engine) remove(api *client.Client, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	for {
		_, err := api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		switch {
		case err == nil || isNotFound(err):
			return nil
		case isConflict(err): // the engine is removing it already
			if waitGone(ctx, api, id) {
				return nil
			}
		default:
			return e.unavailable("remove the sandbox", err)
		}
		if ctx.Err() != nil {
			return e.unavailable("remove the sandbox", errors.Join(ctx.Err(), err))
		}
	}
}

func waitGone(ctx context.Context, api *client.Client, id string) bool {
	for range 40 {
		if _, err := api.ContainerInspect(ctx, id, client.ContainerInspectOptions{}); isNotFound(err) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(25 * time.Millisecond):
		}
	}
	return false
}
