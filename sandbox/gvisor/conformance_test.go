//go:build linux

package gvisor

import (
	"os"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

func TestConformance(t *testing.T) {
	runsc := runscPathForTest(t)
	sandboxtest.Suite{New: func(_ testing.TB, state string) sandbox.Backend {
		return New(Options{StateDir: state, Program: os.Executable, Runsc: runsc})
	}}.Run(t)
}
