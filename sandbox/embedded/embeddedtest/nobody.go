//go:build linux

package embeddedtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// nobody is a user that no machine has.
const nobody = 65111

// AsNobody runs tests of this test binary again as an unprivileged user, with
// copies of the programs in files, by the variable that names each. A test that
// is unprivileged already has nothing to add.
func AsNobody(t *testing.T, tests string, files map[string]string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Log("this is an unprivileged user already")
		return
	}
	sup, err := Program()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "chitin-unprivileged-") // TempDir's parents are closed to others
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "TEST"), "-test.run", tests)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TMPDIR=" + dir}
	all := map[string]string{"TEST": self, "CHITIN_SUP": sup}
	for k, v := range files {
		all[k] = v
	}
	for name, from := range all {
		to := filepath.Join(dir, name)
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o755); err != nil {
			t.Fatal(err)
		}
		if name != "TEST" {
			cmd.Env = append(cmd.Env, name+"="+to)
		}
	}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
