package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// The log of one Apply is a file: NAME.stage while new files are being
// written (a crash then means: none of the changes), NAME.commit once every
// one is complete (a crash then means: all of them).
const (
	stageMark  = ".stage"
	commitMark = ".commit"
	maxIntent  = 1 << 20
	staleTemp  = time.Hour
	lockWait   = 5 * time.Second
)

type intent struct {
	Steps []intentStep `json:"steps"`
}

// intentStep is one change by path; digests are empty for "no file".
type intentStep struct {
	Path string `json:"path"`
	Temp string `json:"temp,omitempty"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

func newIntent(works []work) (intent, []string) {
	in := intent{Steps: make([]intentStep, len(works))}
	names := make([]string, len(works))
	for i, w := range works {
		s := intentStep{Path: w.place.rel}
		if w.old != nil {
			s.Old = digest(w.change.Old)
		}
		if w.change.Data != nil {
			names[i] = tempName()
			s.Temp, s.New = names[i], digest(w.change.Data)
		}
		in.Steps[i] = s
	}
	return in, names
}

// store is the intent log of one workspace; a nil store logs nothing.
type store struct {
	dir string
	fd  int
}

// openStore opens the log of the workspace at abs below base. The name is the
// path's digest: two workspaces never share one.
func openStore(base, abs string) (*store, error) {
	sum := sha256.Sum256([]byte(abs))
	dir := filepath.Join(base, hex.EncodeToString(sum[:12]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("intent log: %w", err)
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("intent log: %w", err)
	}
	return &store{dir: dir, fd: fd}, nil
}

// giveTo makes the log the property of the user who writes; outside of the
// workspace it stays out of the box's reach.
func (s *store) giveTo(r *rights) error {
	names, err := s.names()
	if err != nil {
		return err
	}
	for _, name := range append(names, ".") {
		if err := unix.Fchownat(s.fd, name, r.uid, r.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil && err != unix.ENOENT {
			return fmt.Errorf("intent log: %w", err)
		}
	}
	return nil
}

// names lists the log's files.
func (s *store) names() ([]string, error) {
	fd, err := unix.Openat(s.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("intent log: %w", err)
	}
	dir := os.NewFile(uintptr(fd), "intents")
	defer func() { _ = dir.Close() }()
	return dir.Readdirnames(-1)
}

func (s *store) close() error {
	if s == nil {
		return nil
	}
	return unix.Close(s.fd)
}

// sameMount reports whether a file can be renamed from the log's directory
// into the workspace.
func (s *store) sameMount(t tree) bool {
	fd, err := t.open(".", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return false
	}
	defer closeFD(fd)
	var a, b unix.Statx_t
	const flags = unix.AT_EMPTY_PATH
	if unix.Statx(fd, "", flags, unix.STATX_MNT_ID, &a) != nil || unix.Statx(s.fd, "", flags, unix.STATX_MNT_ID, &b) != nil {
		return false
	}
	return a.Mask&unix.STATX_MNT_ID != 0 && a.Mnt_id == b.Mnt_id
}

// lock keeps other processes from recovering a workspace that is being
// changed. The kernel drops it with the process.
func (s *store) lock() (unlock func(), err error) {
	if s == nil {
		return func() {}, nil
	}
	fd, err := unix.Openat(s.fd, "lock", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(5 * time.Millisecond) {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { closeFD(fd) }, nil
		}
		if time.Now().After(end) {
			closeFD(fd)
			return nil, fmt.Errorf("workspace is busy: %w", err)
		}
	}
}

// begin writes the log in its first state.
func (s *store) begin(in intent, durable bool) (string, error) {
	if s == nil {
		return "", nil
	}
	data, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	if len(data) > maxIntent {
		return "", sandbox.ErrTooLarge
	}
	id := strings.TrimSuffix(tempName(), tempSuffix)
	fd, err := unix.Openat(s.fd, id+stageMark, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), "intent")
	_, err = f.Write(data)
	if err == nil && durable {
		err = f.Sync()
	}
	return id, errors.Join(err, f.Close())
}

// commit is the moment from which the changes will happen, come what may.
func (s *store) commit(id string) error {
	if s == nil {
		return nil
	}
	return unix.Renameat(s.fd, id+stageMark, s.fd, id+commitMark)
}

// forget ends the log of one Apply.
func (s *store) forget(id string) error {
	if s == nil || id == "" {
		return nil
	}
	for _, mark := range []string{commitMark, stageMark} {
		if err := unix.Unlinkat(s.fd, id+mark, 0); err != unix.ENOENT {
			return err
		}
	}
	return nil
}

// recover finishes or undoes what a killed process left. Half-made files of
// single writes are swept once they are old enough to belong to nobody.
func (f *FS) recover() error {
	entries, err := f.store.names()
	if err != nil || len(entries) == 0 {
		return err
	}
	unlock, err := f.store.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if entries, err = f.store.names(); err != nil { // again, under the lock
		return err
	}
	for _, name := range entries {
		id, committed := strings.CutSuffix(name, commitMark)
		staged := false
		if !committed {
			id, staged = strings.CutSuffix(name, stageMark)
		}
		switch {
		case committed || staged:
			err = errors.Join(err, f.recoverOne(id, name, committed))
		case isTemp(name):
			var st unix.Stat_t
			if unix.Fstatat(f.store.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && time.Since(time.Unix(st.Mtim.Unix())) > staleTemp {
				err = errors.Join(err, unix.Unlinkat(f.store.fd, name, 0))
			}
		}
	}
	return err
}

func (f *FS) recoverOne(id, name string, committed bool) error {
	fd, err := openLeaf(f.store.fd, name)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	data, err := readAll(func() error { return nil }, fd, 0, maxIntent)
	if err != nil {
		return err
	}
	var in intent
	if err := json.Unmarshal(data, &in); err != nil && committed {
		return fmt.Errorf("intent log %s: %w", name, err)
	}
	// What the box did to the names meanwhile must not keep the workspace
	// from opening; only a machine out of room may try again later.
	for _, s := range in.Steps {
		if err := f.redo(s, committed); lacksRoom(err) {
			return fmt.Errorf("%s: %w", f.shown(s.Path), err)
		}
	}
	return f.store.forget(id)
}

// redo brings one file to its new state, or drops its half-made file. A file
// that is neither the old nor the new one was changed since: it stays.
func (f *FS) redo(s intentStep, committed bool) error {
	pl, err := f.parent(s.Path, committed && s.New != "")
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer pl.close()
	t, found := f.findTemp(pl, s)
	if found {
		defer t.drop() // no effect once it was moved into place
	}
	if !committed {
		return nil
	}
	current, err := f.digestOf(pl)
	if err != nil || current != s.Old || current == s.New {
		return err
	}
	if s.New == "" {
		return unix.Unlinkat(pl.dir, pl.base, 0)
	}
	if got, err := f.digestOf(place{dir: t.dir, base: t.name}); !found || err != nil || got != s.New {
		return errors.Join(errors.New("the staged file is gone"), err)
	}
	if err := rename(t.dir, t.name, pl.dir, pl.base, 0); err != nil {
		return err
	}
	return f.syncDir(pl.dir)
}

func lacksRoom(err error) bool {
	for _, e := range []error{unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.ENOMEM, unix.EMFILE, unix.ENFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// findTemp looks for a staged file in both places where it may lie.
func (f *FS) findTemp(pl place, s intentStep) (temp, bool) {
	if s.Temp == "" || !isTemp(s.Temp) || strings.Contains(s.Temp, "/") {
		return temp{}, false
	}
	for _, dir := range []int{f.store.fd, pl.dir} {
		var st unix.Stat_t
		if unix.Fstatat(dir, s.Temp, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			return temp{dir: dir, name: s.Temp}, true
		}
	}
	return temp{}, false
}

// digestOf is the digest of the file at pl, empty when there is none.
func (f *FS) digestOf(pl place) (string, error) {
	st, err := pl.lookup()
	if err != nil || st == nil {
		return "", err
	}
	data, err := f.readLeaf(func() error { return nil }, pl)
	if err != nil {
		return "", err
	}
	return digest(data), nil
}
