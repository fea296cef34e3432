package app

import (
	"os"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/docker"
)

func (a *App) backends() []sandbox.Backend {
	return []sandbox.Backend{docker.New(docker.Options{Name: "docker", StateDir: a.opts.StateDir, Supervisor: os.Executable})}
}
