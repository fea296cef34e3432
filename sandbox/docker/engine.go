// Package docker runs boxes as hardened containers of a Docker Engine, or of
// Podman through its compatible socket, rootless ones included. It speaks the
// Engine API for making and removing a container; everything that happens in
// one goes over its supervisor.
package docker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/sandbox"
)

// Labels of every container.
const (
	labelMark   = "chitin.sandbox"
	labelState  = "chitin.state"
	labelBox    = "chitin.box"
	labelTenant = "chitin.tenant"
	labelKey    = "chitin.key"
	labelScope  = "chitin.scope"
	labelHash   = "chitin.hash"
)

// Options make an engine.
type Options struct {
	Name     string // docker or podman
	StateDir string
	// Host is the engine's address; "" looks where engines usually are.
	Host string
	// Supervisor returns the path of the program to mount as PID 1.
	Supervisor func() (string, error)
	// Image makes the default image when it is missing; may be nil.
	Image ImageMaker
	// Labels are added to every container.
	Labels map[string]string
	// Attach speaks to supervisors over the engine's attached streams even
	// where a socket could be mounted.
	Attach bool
}

// ImageMaker provides the image that a spec without one runs in.
type ImageMaker interface {
	// Name is the reference under which the image is kept.
	Name() string
	// Make builds it in the engine that api speaks to.
	Make(ctx context.Context, api *client.Client, progress func(string)) error
}

// Engine is the backend.
type Engine struct {
	o     Options
	state string

	mu       sync.Mutex
	api      *client.Client
	host     string
	status   sandbox.Status
	info     system.Info
	at       time.Time
	images   map[string]imageFacts // by reference, since the engine last came up
	making   map[string]*making
	stateErr error
	podman   bool // whatever the engine is called here

	// weaken changes a request after it was verified; only tests that prove
	// the probes set it.
	weaken func(*client.ContainerCreateOptions)
}

var _ sandbox.Backend = (*Engine)(nil)

// New makes the backend without talking to an engine yet.
func New(o Options) *Engine {
	if o.Name == "" {
		o.Name = "docker"
	}
	e := &Engine{o: o, images: map[string]imageFacts{}, making: map[string]*making{}}
	e.state, e.stateErr = stateID(o.StateDir)
	return e
}

// Name is docker or podman.
func (e *Engine) Name() string { return e.o.Name }

// stateID tells this state directory's containers from every other's: a copy
// of a directory is another one, and so is one that was made anew in its place.
func stateID(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	sub := filepath.Join(dir, "sandbox")
	if err := securefile.MkdirAll(sub); err != nil {
		return "", err
	}
	path := filepath.Join(sub, "id")
	if err := securefile.Create(path, []byte(rand.Text())); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) < 16 || len(b) > 64 {
		return "", fmt.Errorf("%s is damaged; remove it and the sandboxes it marked: %w", path, err)
	}
	sum := sha256.Sum256([]byte(dir + "\x00" + string(b)))
	return hex.EncodeToString(sum[:8]), nil
}

// candidates are the sockets where an engine of this name may answer.
func (e *Engine) candidates() []string {
	if e.o.Host != "" {
		return []string{e.o.Host}
	}
	run := os.Getenv("XDG_RUNTIME_DIR")
	if e.o.Name == "podman" {
		out := []string{"unix:///run/podman/podman.sock"}
		if run != "" {
			out = append([]string{"unix://" + run + "/podman/podman.sock"}, out...)
		}
		return out
	}
	if h := os.Getenv("DOCKER_HOST"); h != "" {
		return []string{h}
	}
	out := []string{"unix:///var/run/docker.sock"}
	if run != "" {
		out = append(out, "unix://"+run+"/docker.sock")
	}
	return out
}

// connect returns a client of the first engine that answers.
func (e *Engine) connect(ctx context.Context) (*client.Client, error) {
	e.mu.Lock()
	api := e.api
	e.mu.Unlock()
	if api != nil {
		return api, nil
	}
	var last error
	for _, h := range e.candidates() {
		path, local := strings.CutPrefix(h, "unix://")
		if !local {
			last = fmt.Errorf("the engine at %s is not on this machine", h)
			continue
		}
		if _, err := os.Stat(path); err != nil {
			last = fmt.Errorf("no engine socket at %s", path)
			continue
		}
		api, err := client.New(client.WithHost(h))
		if err != nil {
			last = err
			continue
		}
		pctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		_, err = api.Ping(pctx, client.PingOptions{NegotiateAPIVersion: true})
		cancel()
		if err != nil {
			last = fmt.Errorf("the engine at %s does not answer: %w", h, err)
			_ = api.Close()
			continue
		}
		e.mu.Lock()
		e.api, e.host = api, h
		e.mu.Unlock()
		return api, nil
	}
	return nil, fmt.Errorf("%w: %s: %w", sandbox.ErrUnavailable, e.o.Name, last)
}

// statusAge is how long an answer about the engine is believed.
const statusAge = 20 * time.Second

// Status asks the engine, at most every few seconds.
func (e *Engine) Status(ctx context.Context) sandbox.Status {
	e.mu.Lock()
	if time.Since(e.at) < statusAge {
		defer e.mu.Unlock()
		return e.status
	}
	e.mu.Unlock()
	st, info := e.ask(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() == nil {
		e.status, e.info, e.at = st, info, time.Now()
	}
	return st
}

func (e *Engine) ask(ctx context.Context) (sandbox.Status, system.Info) {
	st := sandbox.Status{Tier: sandbox.TierContainer}
	no := func(err error) (sandbox.Status, system.Info) {
		st.Reason = err.Error()
		return st, system.Info{}
	}
	if e.stateErr != nil {
		return no(e.stateErr)
	}
	api, err := e.connect(ctx)
	if err != nil {
		return no(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	res, err := api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return no(fmt.Errorf("the engine does not answer: %w", err))
	}
	v, err := api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return no(fmt.Errorf("the engine does not answer: %w", err))
	}
	st.Available = true
	st.Version = res.Info.ServerVersion
	e.mu.Lock()
	e.podman = slices.ContainsFunc(v.Components, func(c system.ComponentVersion) bool { return strings.HasPrefix(c.Name, "Podman") })
	podman := e.podman
	e.mu.Unlock()
	st.Boot = bootID(res.Info.ID, v)
	st.Warnings, st.Refuse = judgeVersions(v, res.Info)
	if podman {
		st.Warnings = append(st.Warnings, "Podman cannot limit the number of files in scratch directories; only the memory limit bounds them")
	}
	return st, res.Info
}

// isPodman reports whether Podman answered when the engine was last asked.
func (e *Engine) isPodman() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.podman
}

// lost forgets what was known of the engine after an error that may mean it
// went away.
func (e *Engine) lost() {
	e.mu.Lock()
	e.at = time.Time{}
	clear(e.images)
	e.mu.Unlock()
}

// unavailable classes an engine's error: ours to report, never to hide.
func (e *Engine) unavailable(doing string, err error) error {
	if client.IsErrConnectionFailed(err) || errors.Is(err, context.DeadlineExceeded) {
		e.lost()
		return fmt.Errorf("%w: %s: the engine does not answer (%w); is it running?", sandbox.ErrUnavailable, doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
