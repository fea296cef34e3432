//go:build linux

package securepath_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/secrets/securepath"
)

const attackVar = "SECUREPATH_TEST_ATTACK"

// TestMain doubles as the attacker: a process that exchanges two names as
// fast as the kernel lets it.
func TestMain(m *testing.M) {
	if dir := os.Getenv(attackVar); dir != "" {
		end := time.Now().Add(time.Minute)
		for time.Now().Before(end) {
			for range 1000 {
				_ = unix.Renameat2(unix.AT_FDCWD, dir+"/good", unix.AT_FDCWD, dir+"/evil", unix.RENAME_EXCHANGE)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestSwapGainsNothing lets an attacker exchange the secret with something
// forged while we read: we get the secret or a refusal, never the forgery.
func TestSwapGainsNothing(t *testing.T) {
	for name, forge := range map[string]func(t *testing.T, dir string){
		"world-writable file": func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/evil", []byte("evil"), 0o600))
			must(t, os.Chmod(dir+"/evil", 0o666))
		},
		"symbolic link": func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/target", []byte("evil"), 0o600))
			must(t, os.Symlink(dir+"/target", dir+"/evil"))
		},
		"hard link": func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/target", []byte("evil"), 0o600))
			must(t, os.Link(dir+"/target", dir+"/evil"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := home(t)
			must(t, os.WriteFile(dir+"/good", []byte("good"), 0o600))
			forge(t, dir)
			race(t, dir, dir+"/good")
		})
	}
}

// TestSwapOfParentGainsNothing exchanges the directory above the secret with
// one that others may write.
func TestSwapOfParentGainsNothing(t *testing.T) {
	dir := home(t)
	for d, text := range map[string]string{"good": "good", "evil": "evil"} {
		must(t, os.Mkdir(dir+"/"+d, 0o700))
		must(t, os.WriteFile(dir+"/"+d+"/f", []byte(text), 0o600))
	}
	must(t, os.Chmod(dir+"/evil", 0o777))
	race(t, dir, dir+"/good/f")
}

func race(t *testing.T, dir, path string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), attackVar+"="+dir)
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var good, refused int
	for end := time.Now().Add(20 * time.Second); (good < 300 || refused < 300) && time.Now().Before(end); {
		data, err := securepath.Read(t.Context(), path, securepath.Rules{})
		switch {
		case err == nil && string(data) == "good":
			good++
		case err == nil:
			t.Fatalf("read the forgery: %q", data)
		case errors.Is(err, securepath.ErrInsecure), errors.Is(err, fs.ErrNotExist):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if good < 300 || refused < 300 {
		t.Fatalf("the race was not run: %d good, %d refused", good, refused)
	}
}
