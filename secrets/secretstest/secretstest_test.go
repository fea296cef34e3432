package secretstest_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chitin-sh/chitin/secrets/secretstest"
)

func TestFinds(t *testing.T) {
	cs := secretstest.Canaries(3)
	v := cs[1].Value.Reveal()
	for name, text := range map[string]string{
		"raw": "x" + v + "x", "base64": base64.StdEncoding.EncodeToString([]byte(v)), "basic": base64.StdEncoding.EncodeToString([]byte("u:" + v)),
		"shifted": base64.StdEncoding.EncodeToString([]byte("abcd" + v + "e")), "url": base64.RawURLEncoding.EncodeToString([]byte("a" + v)),
	} {
		if got := secretstest.In([]byte(text), cs); len(got) != 1 || got[0] != "canary-01" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := secretstest.In([]byte("cnry-nothing"), cs); len(got) != 0 {
		t.Errorf("found %v in nothing", got)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte(v), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := secretstest.InTree(dir, cs, nil); err != nil || len(got) != 1 {
		t.Errorf("tree: %v %v", got, err)
	}
	if got, _ := secretstest.InTree(dir, cs, func(string) bool { return true }); len(got) != 0 {
		t.Errorf("allowed: %v", got)
	}
}

func TestFindsInProcesses(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return // no /proc, nothing to look at
	}
	cs := secretstest.Canaries(1)
	cmd := exec.Command("sleep", "20")
	cmd.Env = []string{"X=" + cs[0].Value.Reveal()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if got := secretstest.InProc(cs); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
