// Package securefile writes files that only their owner can read, from the
// first byte, atomically and durably, whatever the umask.
package securefile

import (
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
)

// MkdirAll makes dir 0700. An existing directory that others can enter is
// left as it is and reported by Check, not changed behind the owner's back.
func MkdirAll(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	return nil
}

// Write replaces path atomically with mode 0600 and syncs file and directory.
func Write(path string, data []byte) error {
	if err := renameio.WriteFile(path, data, 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Create writes path with mode 0600 and fails with os.ErrExist when it is
// already there.
func Create(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err = f.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Sync()
}
