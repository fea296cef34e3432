package sandbox

import (
	"errors"
	"io"
)

// More errors of Files that callers branch on.
var (
	// ErrConflict means that a file no longer holds what a Change expected.
	ErrConflict = errors.New("sandbox: the file changed meanwhile")
	// ErrTooLarge means that a size limit of the workspace would be passed.
	ErrTooLarge = errors.New("sandbox: larger than the limit")
	// ErrLinked means that a file has further hard links, which may lie
	// outside the workspace.
	ErrLinked = errors.New("sandbox: the file has more than one hard link")
)

// NoStdin is a standard input that is empty from the start. A backend that
// sees it may connect the process to /dev/null and copy nothing.
var NoStdin io.Reader = noStdin{}

type noStdin struct{}

func (noStdin) Read([]byte) (int, error) { return 0, io.EOF }
