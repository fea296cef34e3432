// Package hostbox runs commands on the host itself. It serves the one explicit
// escape of elevated exec, and stands in for a sandbox where tests exercise
// tools without an engine. It isolates nothing.
package hostbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
)

// Options say where commands run.
type Options struct {
	// Dir is the host directory commands start in.
	Dir string
	// Workdir is the path that stands for Dir in a Cmd's Dir and in messages.
	// Empty: Dir itself, for elevated exec.
	Workdir string
	// Files is handed out by Files; may be nil.
	Files sandbox.Files
	// Grace is how long a group has between SIGTERM and SIGKILL when its time
	// is up. Default 500 ms.
	Grace time.Duration
	// Key is the scope key reported by Info.
	Key string
}

const defaultGrace = 500 * time.Millisecond

// Box is the host seen as a box.
type Box struct {
	opts    Options
	created time.Time

	mu     sync.Mutex
	closed bool
	procs  map[*proc]struct{}
}

var _ sandbox.Box = (*Box)(nil)

// New makes a box over an existing directory.
func New(opts Options) (*Box, error) {
	st, err := os.Stat(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("host box: %w", err)
	}
	if !st.IsDir() || !filepath.IsAbs(opts.Dir) {
		return nil, fmt.Errorf("host box: %s is not an absolute directory", opts.Dir)
	}
	if opts.Workdir == "" {
		opts.Workdir = opts.Dir
	}
	if opts.Grace <= 0 {
		opts.Grace = defaultGrace
	}
	return &Box{opts: opts, created: time.Now(), procs: map[*proc]struct{}{}}, nil
}

// Info describes the box; its tier is none.
func (b *Box) Info() sandbox.Info {
	return sandbox.Info{
		ID: "host", Backend: "host", Tier: "none", Key: b.opts.Key,
		Workdir: b.opts.Workdir, Workspace: b.opts.Dir, Access: "rw",
		Created: b.created, LastUsed: b.created,
	}
}

// Files is the workspace given in Options.
func (b *Box) Files() sandbox.Files { return b.opts.Files }

// Start runs a command in its own process group.
func (b *Box) Start(ctx context.Context, c sandbox.Cmd) (sandbox.Proc, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("host box: empty command")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := b.dir(c.Dir)
	if err != nil {
		return nil, err
	}
	p := &proc{box: b, done: make(chan struct{}), start: time.Now()}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, sandbox.ErrGone
	}
	b.procs[p] = struct{}{}
	b.mu.Unlock()
	if err := p.run(ctx, c, dir, b.opts.Grace); err != nil {
		b.forget(p)
		return nil, err
	}
	return p, nil
}

// dir maps a directory of the box to the host's.
func (b *Box) dir(d string) (string, error) {
	if d == "" {
		return b.opts.Dir, nil
	}
	d = path.Clean(d)
	if rest, ok := strings.CutPrefix(d, b.opts.Workdir); ok && (rest == "" || rest[0] == '/') {
		d = filepath.Join(b.opts.Dir, rest)
	}
	if st, err := os.Stat(d); err != nil || !st.IsDir() {
		return "", &os.PathError{Op: "chdir", Path: d, Err: os.ErrNotExist}
	}
	return d, nil
}

func (b *Box) forget(p *proc) {
	b.mu.Lock()
	delete(b.procs, p)
	b.mu.Unlock()
}

// Close kills what still runs and waits for it.
func (b *Box) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	running := make([]*proc, 0, len(b.procs))
	for p := range b.procs {
		running = append(running, p)
	}
	b.mu.Unlock()
	var errs []error
	for _, p := range running {
		p.kill()
		if _, err := p.Wait(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
