package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestConformanceClient runs the official suite, unmodified, against the client
// that the gateway uses MCP servers with. What does not pass is listed with its
// reason, and the suite fails when the list is longer than it has to be.
func TestConformanceClient(t *testing.T) {
	needNPM(t, "mcp")
	client := filepath.Join(t.TempDir(), "client")
	if out, err := exec.Command("go", "build", "-o", client, "../../mcpclient/conformance").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	baseline, err := filepath.Abs("../../scripts/npm/client-baseline.yml")
	if err != nil {
		t.Fatal(err)
	}
	conformant(t, 150*time.Second, 23, "client", "--command", client, "--expected-failures", baseline)
}
