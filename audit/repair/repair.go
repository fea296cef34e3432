// Package repair carries out the changes that an audit planned: modes through
// descriptors, so that a swapped path is never followed, and single values of
// the configuration, with its comments kept.
package repair

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/audit"
)

// Outcome is what came of a plan.
type Outcome struct {
	OK            bool           `json:"ok"`
	DryRun        bool           `json:"dryRun,omitempty"`
	StateDir      string         `json:"stateDir"`
	ConfigPath    string         `json:"configPath"`
	ConfigWritten bool           `json:"configWritten"`
	Changes       []string       `json:"changes"`
	Actions       []audit.Change `json:"actions"`
	Errors        []string       `json:"errors"`
}

// Apply makes the changes in order. One that fails does not stop the others.
// A second run over the result changes nothing.
func Apply(s *audit.Subject, plan []audit.Change) Outcome {
	out := Outcome{OK: true, StateDir: s.StateDir, ConfigPath: s.ConfigPath, Changes: []string{}, Errors: []string{}, Actions: []audit.Change{}}
	for _, c := range plan {
		var err error
		switch c.Kind {
		case "chmod":
			c.OK, c.Skipped, err = chmod(c)
		case "config":
			c.OK, c.Skipped, err = setKey(c)
			if c.OK {
				out.ConfigWritten = true
				out.Changes = append(out.Changes, c.Key+" -> "+c.Value)
			}
		default:
			err = fmt.Errorf("unknown kind of change %q", c.Kind)
		}
		if err != nil {
			c.Error = err.Error()
			out.OK = false
			out.Errors = append(out.Errors, audit.Show(c.Path)+": "+audit.Show(err.Error()))
		}
		out.Actions = append(out.Actions, c)
	}
	return out
}

// chmod changes the mode of what the path is now, through a descriptor that
// was opened without following its last link.
func chmod(c audit.Change) (done bool, skipped string, err error) {
	fd, err := unix.Open(c.Path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, "missing", nil
	}
	if err != nil {
		return false, "", err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, "", err
	}
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFLNK:
		return false, "symlink", nil
	case c.Dir && kind != unix.S_IFDIR:
		return false, "not-a-directory", nil
	case !c.Dir && kind != unix.S_IFREG:
		return false, "not-a-file", nil
	case st.Mode&0o7777 == c.Mode:
		return false, "already", nil
	case !c.Dir && st.Nlink > 1:
		return false, "", errors.New("the file has another name (hard link); remove it first")
	}
	// The descriptor names the inode, whatever the path means by now.
	if err := os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), fs.FileMode(c.Mode)); err != nil {
		return false, "", err
	}
	return true, "", nil
}

// setKey changes one value of a configuration and nothing else in its text.
func setKey(c audit.Change) (done bool, skipped string, err error) {
	st, err := os.Lstat(c.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, "missing", nil
	case err != nil:
		return false, "", err
	case st.Mode()&fs.ModeSymlink != 0:
		return false, "symlink", nil
	case !st.Mode().IsRegular():
		return false, "not-a-file", nil
	}
	text, err := audit.NewDisk(audit.DefaultLimits()).Read(c.Path)
	if err != nil {
		return false, "", err
	}
	edited, err := Set(c.Path, text, c.Key, c.Value)
	if err != nil {
		return false, "", err
	}
	if string(edited) == string(text) {
		return false, "already", nil
	}
	return true, "", replace(c.Path, edited, st)
}

// replace puts a new file in the place of the old one.
func replace(path string, text []byte, old fs.FileInfo) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".chitin-fix-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, werr := tmp.Write(text)
	owner := error(nil)
	if sys, ok := old.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		owner = tmp.Chown(int(sys.Uid), int(sys.Gid)) // root repairs for the owner
	}
	mode := old.Mode().Perm()&0o600 | 0o400
	if err := errors.Join(werr, owner, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
