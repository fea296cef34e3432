package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/internal/securefile"
)

// record is what the disk remembers of a box, from before it exists until
// after it is gone.
type record struct {
	ID      string    `json:"id"`
	Backend string    `json:"backend"`
	Owner   Owner     `json:"owner"` // empty key: not yet assigned
	Spec    Spec      `json:"spec"`
	Holder  string    `json:"holder"` // process that answers for it
	Created time.Time `json:"created"`
	// Ephemeral: worthless once its holder is gone.
	Ephemeral bool  `json:"ephemeral,omitempty"`
	Phase     phase `json:"phase"`
}

// phase is how far a box has come. Only a live one may be adopted: one that
// was still being made has not been proved, and one whose end was begun may
// go at any moment.
type phase string

const (
	making   phase = "making"
	living   phase = "live"
	ending   phase = "ending"
	dropping phase = "dropping" // ending, and its files with it
)

// end is the phase of a box that meets this fate.
func (f fate) end() phase {
	if f == dropFiles {
		return dropping
	}
	return ending
}

// fate is what becomes of the files of a box that was found in this phase.
func (p phase) fate() fate { return p == dropping }

// fate is what happens to the box's own workspace.
type fate bool

const (
	keepFiles fate = false
	dropFiles fate = true
)

const (
	recordFile = "box.json"
	ownDir     = "ws"
)

func (m *Manager) boxesDir() string { return filepath.Join(m.dir, "boxes") }

// keptWorkspace is where the files of a scope wait while it has no box.
func (m *Manager) keptWorkspace(o Owner) string {
	sum := sha256.Sum256([]byte(slotKey(o)))
	return filepath.Join(m.dir, "workspaces", hex.EncodeToString(sum[:12]))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// openRecord makes the box's directory and, when the spec brings none, its
// own workspace: the one kept from last time or an empty one.
func (m *Manager) openRecord(req *Request, backend, kept string) (string, error) {
	dir := filepath.Join(m.boxesDir(), req.ID)
	if err := securefile.MkdirAll(dir); err != nil {
		return "", err
	}
	req.Dir = dir
	own := req.Spec.Workspace == ""
	if own {
		req.Spec.Workspace = filepath.Join(dir, ownDir)
	}
	m.own(req.ID, true)
	// The record comes first: files in a directory without one are nobody's.
	if err := m.writeRecord(*req, backend, time.Now(), making); err != nil {
		return "", err
	}
	if own {
		if kept == "" || !exists(kept) || os.Rename(kept, req.Spec.Workspace) != nil {
			if err := os.Mkdir(req.Spec.Workspace, 0o700); err != nil {
				return "", fmt.Errorf("make the workspace: %w", err)
			}
		}
		if err := giveTo(req.Spec.Workspace, req.Spec.User); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func (m *Manager) writeRecord(req Request, backend string, created time.Time, ph phase) error {
	b, err := json.Marshal(record{ID: req.ID, Backend: backend, Owner: req.Owner, Spec: req.Spec, Holder: self(), Created: created,
		Ephemeral: req.Ephemeral, Phase: ph})
	if err != nil {
		return err
	}
	// It has to outlive this process, not the machine: containers do not
	// outlive that either, so nothing is synced.
	tmp := filepath.Join(req.Dir, recordFile+".new")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(req.Dir, recordFile))
}

// giveTo makes a directory the box user's, where we may.
func giveTo(dir, user string) error {
	if os.Getuid() != 0 {
		return nil
	}
	u, g, _ := strings.Cut(user, ":")
	uid, err1 := strconv.Atoi(u)
	gid, err2 := strconv.Atoi(g)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return os.Lchown(dir, uid, gid)
}

// closeRecord removes what the box left on disk and puts its own workspace
// where the scope's next box finds it.
func (m *Manager) closeRecord(req Request, owner Owner, f fate) {
	if !m.putAway(req, owner, f) {
		return
	}
	if err := removeTree(filepath.Join(m.boxesDir(), req.ID)); err != nil {
		m.o.Log.Warn("sandbox directory could not be removed", "box", req.ID, "error", err)
	}
	m.own(req.ID, false)
}

// own notes which boxes this manager answers for.
func (m *Manager) own(id string, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mine {
		m.mine[id] = true
	} else {
		delete(m.mine, id)
	}
}

// putAway repairs a box's workspace and, when it is the box's own, moves it to
// where the scope's next box finds it. It reports whether the box's directory
// holds nothing any more that is to be kept.
func (m *Manager) putAway(req Request, owner Owner, f fate) bool {
	dir := filepath.Join(m.boxesDir(), req.ID)
	own := filepath.Join(dir, ownDir)
	if req.Spec.Workspace == "" {
		req.Spec.Workspace = own
	}
	if m.o.Recover != nil && !req.Spec.ReadOnly() && exists(req.Spec.Workspace) {
		if err := m.o.Recover(req.Spec.Workspace, filepath.Join(dir, "intent"), req.Spec.User); err != nil {
			m.o.Log.Warn("a half-applied change of a sandbox workspace could not be repaired", "box", req.ID, "error", err)
		}
	}
	if f == dropFiles || owner.Key == "" || req.Spec.Workspace != own || isEmptyDir(own) {
		return true
	}
	kept := m.keptWorkspace(owner)
	if exists(kept) { // of another box of the same scope: neither may be lost
		kept += "-" + req.ID
		m.o.Log.Warn("a scope has files of two sandboxes; the later ones are kept apart", "box", req.ID, "dir", kept)
	}
	if err := errors.Join(securefile.MkdirAll(filepath.Dir(kept)), os.Rename(own, kept)); err != nil {
		m.o.Log.Warn("sandbox workspace could not be kept", "box", req.ID, "error", err)
		return false
	}
	return true
}

func isEmptyDir(dir string) bool {
	d, err := os.Open(dir)
	if err != nil {
		return true
	}
	defer d.Close()
	names, err := d.Readdirnames(1)
	return len(names) == 0 && err != nil
}

// removeTree also removes directories that somebody inside closed to others.
func removeTree(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// records reads every record; a directory without a readable one is returned
// with its ID alone, to be cleaned up.
func (m *Manager) records() []record {
	dirs, err := os.ReadDir(m.boxesDir())
	if err != nil {
		return nil
	}
	var out []record
	for _, d := range dirs {
		out = append(out, m.record(d.Name()))
	}
	return out
}

func (m *Manager) record(id string) record {
	var r record
	b, err := readSmall(filepath.Join(m.boxesDir(), id, recordFile), 4<<20)
	if err != nil || json.Unmarshal(b, &r) != nil || r.ID != id {
		return record{ID: id}
	}
	return r
}

// self names this process so that another can tell whether it still lives.
func self() string { return processName(os.Getpid()) }

func processName(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 20 {
		return ""
	}
	return strconv.Itoa(pid) + "@" + f[19] // start time: the number may be used again
}

// held reports whether another living process answers for a box.
func held(holder string) bool {
	p, _, _ := strings.Cut(holder, "@")
	pid, err := strconv.Atoi(p)
	return err == nil && pid != os.Getpid() && processName(pid) == holder
}
