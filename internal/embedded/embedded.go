// Package embedded carries the programs that chitin needs inside a sandbox.
// The build puts them into bin before chitin itself is compiled; a chitin
// built without them looks beside its own binary and, last, is the program
// itself.
package embedded

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/renameio/v2"
)

//go:embed bin
var files embed.FS

// supervisorName is the supervisor's file name, embedded or beside chitin.
const supervisorName = "chitin-sup"

// Supervisor returns a function that yields the path of the supervisor
// program, written below the state directory when it is embedded. It does the
// work at the first call.
func Supervisor(stateDir string) func() (string, error) {
	return sync.OnceValues(func() (string, error) { return find(stateDir, supervisorName) })
}

func find(stateDir, name string) (string, error) {
	b, err := files.ReadFile("bin/" + name)
	switch {
	case err == nil:
		return extract(stateDir, name, b)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), name)
	if fi, err := os.Lstat(beside); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 && fi.Mode()&0o002 == 0 {
		return beside, nil
	}
	return self, nil
}

// extract writes the program once for each version of it. What is there
// already is compared byte by byte: it will be PID 1 of every sandbox.
func extract(stateDir, name string, want []byte) (string, error) {
	dir, err := filepath.Abs(filepath.Join(stateDir, "sandbox", "bin"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make directory: %w", err)
	}
	sum := sha256.Sum256(want)
	path := filepath.Join(dir, name+"-"+hex.EncodeToString(sum[:8]))
	if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() && fi.Mode().Perm() == 0o555 {
		if have, err := os.ReadFile(path); err == nil && sha256.Sum256(have) == sum {
			return path, nil
		}
	}
	if err := renameio.WriteFile(path, want, 0o555, renameio.IgnoreUmask()); err != nil {
		return "", fmt.Errorf("write the supervisor: %w", err)
	}
	return path, nil
}
