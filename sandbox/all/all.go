// Package all lists the sandbox backends in order of preference.
package all

import (
	"github.com/chitin-sh/chitin/internal/embedded"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/docker"
	"github.com/chitin-sh/chitin/sandbox/gvisor"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/namespace"
)

// Backends makes every backend for a state directory; none of them does
// anything yet.
func Backends(stateDir string) []sandbox.Backend {
	sup := embedded.Supervisor(stateDir)
	return []sandbox.Backend{
		docker.New(docker.Options{Name: "docker", StateDir: stateDir, Supervisor: sup, Image: image.Maker{}}),
		docker.New(docker.Options{Name: "podman", StateDir: stateDir, Supervisor: sup, Image: image.Maker{}}),
		gvisor.New(gvisor.Options{StateDir: stateDir, Program: sup}),
		namespace.New(namespace.Options{StateDir: stateDir, Program: sup}),
	}
}
