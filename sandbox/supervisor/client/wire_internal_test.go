package client

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox/supervisor/proto"
)

// A process may be gone long before its output's reader has a turn on a busy
// machine: what it left in the pipe is not given up.
func TestOutputInThePipeIsNotGivenUp(t *testing.T) {
	r, w, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	child := os.NewFile(uintptr(w), "a child that lives on") // the pipe does not end
	defer func() { _ = child.Close() }()
	if err := unix.SetNonblock(r, true); err != nil {
		t.Fatal(err)
	}
	var to bytes.Buffer
	p := &proc{c: &Conn{bg: map[*os.File]struct{}{}}}
	o := newOutput(p, proto.Stdout, &to, os.NewFile(uintptr(r), "output"))
	if _, err := child.WriteString("last words"); err != nil {
		t.Fatal(err)
	}
	if o.detach() {
		t.Fatal("given up with the output still in the pipe")
	}
	buf := make([]byte, smallRead)
	n := o.read(buf)
	if o.detach() {
		t.Fatal("given up with the output still in the reader's hands")
	}
	o.put(buf[:n])
	o.last = o.last.Add(-2 * grace)
	if !o.detach() {
		t.Fatal("a pipe on which nothing happens is waited for")
	}
	if to.String() != "last words" {
		t.Fatalf("%q", to.String())
	}
	_ = o.file.Close()
}
