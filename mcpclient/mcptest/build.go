package mcptest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Build makes the fixture's program, which needs no libraries and so runs in
// any sandbox. It is built into dir.
func Build(t *testing.T, dir string) string {
	t.Helper()
	out := filepath.Join(dir, "fixture")
	cmd := exec.Command("go", "build", "-o", out, "github.com/chitin-sh/chitin/mcpclient/mcptest/fixture")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the fixture: %v\n%s", err, b)
	}
	return out
}
