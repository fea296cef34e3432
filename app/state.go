package app

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/securefile"
	"golang.org/x/sys/unix"
)

// Names inside the state directory.
const (
	TokenFile  = "gateway.token"
	ConfigFile = "chitin.yml"
	lockFile   = "gateway.lock"
)

// ErrLocked says that another gateway has the state directory.
var ErrLocked = errors.New("another gateway runs on this state directory")

// prepareState makes the state directory, or checks that an existing one is
// ours alone.
func prepareState(dir string) error {
	if err := securefile.MkdirAll(dir); err != nil {
		return err
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	switch {
	case !st.IsDir():
		return fmt.Errorf("state directory %s is not a directory", dir)
	case ok && int(sys.Uid) != os.Geteuid():
		return fmt.Errorf("state directory %s belongs to uid %d, not to us: choose another with --state DIR", dir, sys.Uid)
	case st.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("state directory %s can be entered by others (mode %04o): chmod 700 %s", dir, st.Mode().Perm(), dir)
	}
	return nil
}

// lockState takes the state directory for this process; the kernel gives it
// back when the process ends, however it ends.
func lockState(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		pid, _ := os.ReadFile(path)
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: pid %s holds %s", ErrLocked, strings.TrimSpace(string(pid)), dir)
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = errors.Join(f.Truncate(0), write(f, strconv.Itoa(os.Getpid())+"\n"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
	}
	return f, nil
}

func write(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

// firstStart writes what is not there yet: the token file, unless the
// environment brings a token, and the starter configuration, unless another
// file is named. It never touches what exists.
func firstStart(dir, configPath string, envToken bool) (made []string, err error) {
	if !envToken {
		switch err := newToken(filepath.Join(dir, TokenFile)); {
		case err == nil:
			made = append(made, TokenFile)
		case !errors.Is(err, fs.ErrExist):
			return nil, err
		}
	}
	if configPath != filepath.Join(dir, ConfigFile) {
		return made, nil
	}
	switch err := securefile.Create(configPath, []byte(config.Starter(!envToken))); {
	case err == nil:
		made = append(made, ConfigFile)
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	return made, nil
}

// newToken writes a fresh 256-bit token; an existing file is fs.ErrExist.
func newToken(path string) error {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return securefile.Create(path, []byte(base64.RawURLEncoding.EncodeToString(b[:])+"\n"))
}
