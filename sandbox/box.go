// Package sandbox is layer 3: it decides where a tool runs and hands out the
// Place ticket. Backends live in sub-folders and implement Backend and Box.
package sandbox

import (
	"context"
	"errors"
	"io"
	"time"
)

// Errors that callers branch on.
var (
	ErrRefused     = errors.New("sandbox: refused")
	ErrUnavailable = errors.New("sandbox: no backend available")
	ErrReadOnly    = errors.New("sandbox: workspace is read-only")
	ErrEscapes     = errors.New("sandbox: path escapes the workspace")
	ErrNotRegular  = errors.New("sandbox: not a regular file")
	ErrFull        = errors.New("sandbox: no room for more files")
	ErrGone        = errors.New("sandbox: the box is gone")
)

// Cmd is one process to start inside a box.
type Cmd struct {
	Argv    []string
	Env     []string // complete environment; the host's is never inherited
	Dir     string   // path inside the box; empty means the workspace
	Stdin   io.Reader
	Stdout  io.Writer // nil discards
	Stderr  io.Writer // nil discards; may equal Stdout to merge
	PTY     *Winsize  // non-nil: run on a terminal, output goes to Stdout
	Timeout time.Duration
}

// Winsize is a terminal size in character cells.
type Winsize struct{ Cols, Rows uint16 }

// Exit is how a process ended.
type Exit struct {
	Code     int // exit code, or -1 when Signal is set
	Signal   int // 0 when it exited by itself
	TimedOut bool
	// OOM: the box's memory limit killed a process of the command; Memory is
	// that limit in bytes where it is known.
	OOM bool
	// Stopped says why everything in the box was stopped, and the command
	// with it; "" when it was not.
	Stopped  string
	Memory   int64
	Duration time.Duration
}

// Proc is a running process in a box.
type Proc interface {
	PID() int // inside the box; informational, never trusted
	// Stdin returns a writer to the process, or nil when Cmd.Stdin was set.
	Stdin() io.WriteCloser
	// Signal sends sig to the process's whole group.
	Signal(sig int) error
	Resize(Winsize) error
	// Wait blocks until the process has ended and its output is written.
	Wait(ctx context.Context) (Exit, error)
}

// Box is one live sandbox, owned by one scope key.
type Box interface {
	Info() Info
	// Start runs a command. Cancelling ctx kills its process group.
	Start(ctx context.Context, c Cmd) (Proc, error)
	// Files is the workspace, accessed safely from the host.
	Files() Files
	Close(ctx context.Context) error
}

// Info describes a box.
type Info struct {
	ID        string    `json:"id"`
	Backend   string    `json:"backend"`
	Tier      string    `json:"tier"`
	Scope     string    `json:"scope"`
	Key       string    `json:"key"` // scope key
	Tenant    string    `json:"tenant"`
	Image     string    `json:"image,omitempty"`
	Workdir   string    `json:"workdir"`
	Workspace string    `json:"workspace,omitempty"` // host path
	Access    string    `json:"access"`
	Hash      string    `json:"hash"` // of the spec; a change makes a new box
	Created   time.Time `json:"created"`
	LastUsed  time.Time `json:"lastUsed"`
}

// FileInfo is what a file tool may know of a file.
type FileInfo struct {
	Name  string
	Size  int64
	Mode  uint32
	IsDir bool
	MTime time.Time
}

// Files acts on one workspace. Every path is relative to it or absolute below
// the box's workdir; nothing outside can be reached, whatever links or races
// the workspace holds. Only regular files are read or written.
type Files interface {
	Read(ctx context.Context, path string, limit int64) ([]byte, FileInfo, error)
	// Write replaces the file atomically, creating parents.
	Write(ctx context.Context, path string, data []byte) (created bool, err error)
	Stat(ctx context.Context, path string) (FileInfo, error)
	List(ctx context.Context, path string, limit int) ([]FileInfo, error)
	Remove(ctx context.Context, path string) error
	Rename(ctx context.Context, from, to string) error
	// Apply makes all changes or none, surviving SIGKILL at any point.
	Apply(ctx context.Context, changes []Change) error
	ReadOnly() bool
}

// Change is one step of an atomic Files.Apply. Data nil removes the file.
type Change struct {
	Path string
	Data []byte
	// Old is what the file must hold for the change to apply; nil means the
	// file must not exist.
	Old []byte
	// Mode is the permission of a new file; 0 means the usual one. A file
	// that exists keeps its own.
	Mode uint32
}

// Place is the ticket of layer 3: where one granted call runs. Its zero value
// is refused. Only Choose makes one.
type Place struct {
	ok   bool
	host bool
	box  Box
}

// Valid reports whether a place was chosen.
func (p Place) Valid() bool { return p.ok }

// Box is the sandbox of the call, or nil for a tool that needs none.
func (p Place) Box() Box { return p.box }

// Host reports that the call was explicitly allowed to run on the host.
func (p Place) Host() bool { return p.ok && p.host }
