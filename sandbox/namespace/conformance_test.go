//go:build linux

package namespace

import (
	"os"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

func TestConformance(t *testing.T) {
	sandboxtest.Suite{New: func(_ testing.TB, state string) sandbox.Backend {
		return New(Options{StateDir: state, Program: os.Executable})
	}}.Run(t)
}
