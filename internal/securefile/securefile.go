// Package securefile writes files that only their owner can read, from the
// first byte, atomically and durably, whatever the umask.
package securefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// MkdirAll makes dir and its missing parents 0700. A directory that is there
// already is left as it is, not changed behind its owner's back.
func MkdirAll(dir string) error {
	st, err := os.Stat(dir)
	if err == nil && st.IsDir() {
		return nil
	}
	if err == nil {
		return fmt.Errorf("make directory: %s is a file", dir)
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	switch err := os.Mkdir(dir, 0o700); {
	case errors.Is(err, os.ErrExist): // somebody was faster
		return nil
	case err != nil:
		return fmt.Errorf("make directory: %w", err)
	}
	// A umask that takes our own bits away would lock us out.
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	return nil
}

// Write replaces path atomically with mode 0600 and syncs file and directory.
func Write(path string, data []byte) error {
	if err := renameio.WriteFile(path, data, 0o600, renameio.IgnoreUmask(), renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// Create writes path with mode 0600 and fails with os.ErrExist when it is
// already there. A write that fails leaves no file behind.
func Create(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(path)
		}
	}()
	// Only a umask that takes our own bits away makes a difference here, and
	// nothing has been written yet.
	if err = f.Chmod(0o600); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	if _, err = f.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name survive a power cut. File systems that cannot sync
// a directory have nothing to lose.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	_ = d.Sync()
	return d.Close()
}
