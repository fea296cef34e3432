package sandbox

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Resetter is a Box that can stop everything inside at once.
type Resetter interface{ Reset() error }

// maxWalk bounds how many files are looked at when a workspace is measured;
// one with more is over any limit.
const maxWalk = 200_000

// checkDisks stops what runs in boxes whose own workspace outgrew its limit.
// Quotas of the file system would be better; few machines have them.
func (m *Manager) checkDisks() {
	for _, l := range m.lives() {
		i, ok := l.box.(Idler)
		if !ok || i.Active() == 0 || l.req.Spec.Access != "none" || l.req.Spec.Limits.Disk <= 0 {
			continue
		}
		n := diskUse(l.req.Spec.Workspace, l.req.Spec.Limits.Disk)
		if n <= l.req.Spec.Limits.Disk {
			continue
		}
		if r, ok := l.box.(Resetter); ok {
			_ = r.Reset()
		}
		m.event(Event{Kind: "disk_limit", Box: l.req.ID, Backend: l.backend.Name(), Owner: l.req.Owner,
			Text: fmt.Sprintf("its workspace holds more than %d bytes; everything inside was stopped", l.req.Spec.Limits.Disk)})
	}
}

// diskUse adds up allocated blocks, stopping once limit is passed.
func diskUse(dir string, limit int64) int64 {
	var total int64
	files := 0
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // vanished meanwhile
		}
		if files++; files > maxWalk {
			total = limit + 1
			return fs.SkipAll
		}
		if fi, err := d.Info(); err == nil {
			if st, ok := fi.Sys().(*syscall.Stat_t); ok {
				total += st.Blocks * 512
			}
		}
		if total > limit {
			return fs.SkipAll
		}
		return nil
	})
	return total
}
