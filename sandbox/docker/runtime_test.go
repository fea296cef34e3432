package docker

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/image"
	"github.com/chitin-sh/chitin/sandbox/sandboxtest"
)

// findRunsc is gVisor's runtime, as make builds it, or "".
func findRunsc() string {
	built, err := filepath.Abs("../../bin/runsc")
	if err == nil {
		if _, err := os.Stat(built); err == nil {
			return built
		}
	}
	path, err := exec.LookPath("runsc")
	if err != nil {
		return ""
	}
	return path
}

// TestConformanceRunsc is the exam with gVisor as the engine's runtime.
func TestConformanceRunsc(t *testing.T) {
	runsc := findRunsc()
	if runsc == "" {
		t.Log("runsc is not built: make runsc")
		return
	}
	d := ownDaemon(t)
	if d == nil {
		return
	}
	type entry struct {
		Path string   `json:"path"`
		Args []string `json:"runtimeArgs"`
	}
	conf, err := json.Marshal(map[string]any{"runtimes": map[string]entry{"runsc": {runsc, []string{"--oci-seccomp", "--platform=systrap"}}, "runsc-open": {Path: runsc}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(d.dir, "daemon.json")
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	d.args = []string{"--config-file", file}
	d.start()
	d.lend()
	suite := sandboxtest.Suite{
		Config: sandbox.Config{Docker: sandbox.DockerConfig{Runtime: "runsc"}},
		New: func(t testing.TB, state string) sandbox.Backend {
			return New(Options{StateDir: state, Host: d.host(), Supervisor: supervisorBinary, Image: image.Maker{}})
		},
	}
	suite.Run(t)
	t.Run("without its filter", func(t *testing.T) {
		state := t.TempDir()
		m := sandbox.NewManager(sandbox.ManagerOptions{StateDir: state, Backends: []sandbox.Backend{suite.New(t, state)}})
		_, err := m.Prove(t.Context(), sandbox.Config{Docker: sandbox.DockerConfig{Runtime: "runsc-open"}})
		if err == nil || !strings.Contains(err.Error(), "--oci-seccomp") {
			t.Errorf("a runtime that ignores the filter: %v", err)
		}
	})
}
