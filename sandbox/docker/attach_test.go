package docker

import (
	"context"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

// attachedEngine speaks to its boxes over the engine's streams.
func attachedEngine(t testing.TB, state string) *Engine {
	t.Helper()
	e := New(Options{StateDir: state, Supervisor: supervisorBinary, Image: image.Maker{}, Attach: true, Labels: map[string]string{"chitin.test": "docker-attach"}})
	t.Cleanup(func() {
		if _, err := e.Sweep(context.Background(), func(string) bool { return false }); err != nil {
			t.Errorf("sweep: %v", err)
		}
	})
	return e
}

// TestConformanceAttached is the exam where no socket can be mounted, as with
// an engine that runs in a virtual machine.
func TestConformanceAttached(t *testing.T) {
	needEngine(t)
	sandboxtest.Suite{New: func(t testing.TB, state string) sandbox.Backend { return attachedEngine(t, state) }}.Run(t)
}
