package workspace

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/chitin-sh/chitin/sandbox"
)

// maxChanges bounds one Apply.
const maxChanges = 1000

// work is one change on its way: where, from what, to what.
type work struct {
	change sandbox.Change
	place  place
	old    *unix.Stat_t // nil: the file is new
	temp   temp         // complete new file; unused for a removal
	done   bool
}

// Apply makes all changes or none. Every new file is complete before the
// first name changes; the intent log then lets Open finish what a killed
// process began. A file that does not hold its Change's Old is a conflict and
// nothing is changed.
func (f *FS) Apply(ctx context.Context, changes []sandbox.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if len(changes) > maxChanges {
		return f.fail("apply", ".", sandbox.ErrTooLarge)
	}
	for _, c := range changes {
		if err := f.writable(ctx, c.Data); err != nil {
			return f.fail("apply", c.Path, err)
		}
	}
	f.apply.Lock()
	defer f.apply.Unlock()
	back, err := f.begin(f.writer)
	if err != nil {
		return f.fail("apply", ".", err)
	}
	defer back()
	works, err := f.prepare(ctx, changes)
	defer func() {
		for i := range works {
			works[i].place.close()
		}
	}()
	if err != nil {
		f.abandon(works)
		return err
	}
	if len(works) > 1 {
		return f.applyMany(works)
	}
	if err = f.stageAll(works, nil); err == nil {
		err = f.step(&works[0])
	}
	if err != nil {
		f.abandon(works)
		return f.fail("apply", changes[0].Path, err)
	}
	return nil
}

// prepare finds every file and compares it with what the change expects.
func (f *FS) prepare(ctx context.Context, changes []sandbox.Change) ([]work, error) {
	works := make([]work, 0, len(changes))
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		pl, err := f.open2(c.Path, c.Data != nil)
		if err != nil {
			return works, f.fail("apply", c.Path, err)
		}
		works = append(works, work{change: c, place: pl})
		w := &works[len(works)-1]
		if w.old, err = f.expect(ctx, pl, c); err != nil {
			return works, f.fail("apply", c.Path, err)
		}
		if len(changes) == 1 {
			break
		}
		key, err := identity(pl)
		if err != nil {
			return works, f.fail("apply", c.Path, err)
		}
		if seen[key] {
			return works, f.fail("apply", c.Path, fmt.Errorf("changed twice in one step: %w", sandbox.ErrConflict))
		}
		seen[key] = true
	}
	return works, nil
}

// identity names a place whatever spelling led to it.
func identity(pl place) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(pl.dir, &st); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d:%d/%s", st.Dev, st.Ino, pl.base), nil
}

// expect checks Old against the file and returns the file's state.
func (f *FS) expect(ctx context.Context, pl place, c sandbox.Change) (*unix.Stat_t, error) {
	st, err := pl.lookup()
	if err != nil {
		return nil, err
	}
	switch {
	case st == nil && c.Old == nil && c.Data == nil, st == nil && c.Old != nil:
		return nil, unix.ENOENT
	case st == nil:
		return nil, nil
	case c.Old == nil:
		return nil, unix.EEXIST
	case st.Size != int64(len(c.Old)):
		return nil, sandbox.ErrConflict
	}
	got, err := f.readLeaf(ctx.Err, pl)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(got, c.Old) {
		return nil, sandbox.ErrConflict
	}
	return st, nil
}

// readLeaf reads the regular file at pl.
func (f *FS) readLeaf(stop func() error, pl place) ([]byte, error) {
	fd, err := openLeaf(pl.dir, pl.base)
	if err != nil {
		return nil, err
	}
	defer closeFD(fd)
	st, err := f.regular(fd)
	if err != nil {
		return nil, err
	}
	return readAll(stop, fd, st.Size, f.opts.MaxFile)
}

// stageAll writes every new file completely; names, when given, are the
// temporary names that the intent log already holds.
func (f *FS) stageAll(works []work, names []string) error {
	for i := range works {
		w := &works[i]
		if w.change.Data == nil {
			continue
		}
		name := tempName()
		if names != nil {
			name = names[i]
		}
		mode := w.change.Mode
		if mode == 0 {
			mode = newFileMode
		}
		t, err := f.makeTemp(w.place.dir, temp{name: name, old: w.old, mode: mode, data: w.change.Data})
		if err != nil {
			return err
		}
		w.temp = t
	}
	return nil
}

// step makes one prepared change; it is atomic by itself.
func (f *FS) step(w *work) error {
	var err error
	switch {
	case w.change.Data == nil:
		if err = unix.Unlinkat(w.place.dir, w.place.base, 0); err == nil {
			err = f.syncDir(w.place.dir)
		}
	case w.old == nil:
		err = f.commit(w.temp, w.place, unix.RENAME_NOREPLACE)
	default:
		err = f.commit(w.temp, w.place, 0)
	}
	w.done = err == nil
	return err
}

// applyMany runs the changes between the two marks of the intent log.
func (f *FS) applyMany(works []work) error {
	unlock, err := f.store.lock()
	if err != nil {
		f.abandon(works)
		return f.fail("apply", ".", err)
	}
	defer unlock()
	in, names := newIntent(works)
	id, err := f.store.begin(in, f.opts.Durable)
	if err == nil {
		err = f.stageAll(works, names)
	}
	if err == nil {
		err = f.store.commit(id)
	}
	if err != nil {
		f.abandon(works)
		return f.fail("apply", ".", errors.Join(err, f.store.forget(id)))
	}
	for i := range works {
		if err := f.step(&works[i]); err != nil {
			return f.fail("apply", works[i].change.Path, f.undo(works, id, err))
		}
	}
	return f.fail("apply", ".", f.store.forget(id))
}

// undo restores what a failed Apply already changed. When even that fails the
// log stays, and the next Open finishes the changes instead.
func (f *FS) undo(works []work, id string, cause error) error {
	for i := len(works) - 1; i >= 0; i-- {
		w := &works[i]
		if !w.done {
			continue
		}
		var err error
		if w.old == nil {
			err = unix.Unlinkat(w.place.dir, w.place.base, 0)
		} else {
			err = f.put(w.place, w.old, w.change.Old)
		}
		if err != nil {
			return errors.Join(cause, fmt.Errorf("undo: %w", err))
		}
		w.done = false
	}
	f.abandon(works)
	return errors.Join(cause, f.store.forget(id))
}

// abandon drops staged files and directories that nothing needs.
func (f *FS) abandon(works []work) {
	for i := range works {
		w := &works[i]
		if w.temp.name != "" && !w.done {
			w.temp.drop()
		}
	}
	for i := len(works) - 1; i >= 0; i-- {
		if !works[i].done {
			f.unmake(works[i].place.made)
		}
	}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
