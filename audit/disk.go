package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// Limits bound what one run reads from a subject that may be hostile.
type Limits struct {
	FileBytes  int64 // largest single file
	TotalBytes int64 // all files together
	Entries    int   // directory entries looked at
	Depth      int   // directories below a root
}

// DefaultLimits fit an installation of thousands of sessions and stop a bomb.
func DefaultLimits() Limits {
	return Limits{FileBytes: 16 << 20, TotalBytes: 64 << 20, Entries: 60_000, Depth: 24}
}

// ErrLimit is returned when a limit of the run is reached.
var ErrLimit = errors.New("limit reached")

// Disk reads the subject's files. It opens without following the last link
// and without waiting, reads regular files only, and stops at its limits; what
// it left out is listed in the report.
type Disk struct {
	limits  Limits
	bytes   int64
	entries int
	skips   []Skip
	skipped map[string]bool
}

// NewDisk starts with nothing read.
func NewDisk(l Limits) *Disk { return &Disk{limits: l, skipped: map[string]bool{}} }

// Skip records something that was left out, once.
func (d *Disk) Skip(what, why string) {
	const most = 200
	if d.skipped[what] || len(d.skips) > most {
		return
	}
	d.skipped[what] = true
	if len(d.skips) == most {
		d.skips = append(d.skips, Skip{What: "more", Why: "the list of skipped paths is cut here"})
		return
	}
	d.skips = append(d.skips, Skip{What: Show(what), Why: Show(why)})
}

// Skips lists what was left out, in order.
func (d *Disk) Skips() []Skip { return d.skips }

// Limits are the limits that the run has.
func (d *Disk) Limits() Limits { return d.limits }

// Read gives the content of a regular file that is not a symbolic link.
func (d *Disk) Read(path string) ([]byte, error) { return d.read(path, syscall.O_NOFOLLOW) }

// ReadFollow is Read for a path that the operator named: a link is followed.
func (d *Disk) ReadFollow(path string) ([]byte, error) { return d.read(path, 0) }

func (d *Disk) read(path string, flags int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|flags, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.Skip(path, "cannot be opened: "+cause(err))
		}
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return d.readOpen(f, path)
}

func (d *Disk) readOpen(f *os.File, path string) ([]byte, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !st.Mode().IsRegular():
		d.Skip(path, "not a regular file")
		return nil, fmt.Errorf("%s: not a regular file", path)
	case st.Size() > d.limits.FileBytes:
		d.Skip(path, fmt.Sprintf("larger than %d bytes", d.limits.FileBytes))
		return nil, fmt.Errorf("%s: %w", path, ErrLimit)
	case d.bytes+st.Size() > d.limits.TotalBytes:
		d.Skip(path, fmt.Sprintf("more than %d bytes in this run", d.limits.TotalBytes))
		return nil, fmt.Errorf("%s: %w", path, ErrLimit)
	}
	data, err := io.ReadAll(io.LimitReader(f, st.Size()+1))
	if err != nil {
		d.Skip(path, "cannot be read: "+cause(err))
		return nil, err
	}
	d.bytes += int64(len(data))
	if int64(len(data)) > st.Size() {
		data = data[:st.Size()] // it grew while we read
	}
	return data, nil
}

// Beneath reads a file below root without leaving root, not even through a
// symbolic link or a directory that is swapped meanwhile.
func (d *Disk) Beneath(root, rel string) ([]byte, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	f, err := r.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.Skip(filepath.Join(root, rel), "cannot be opened below its directory: "+cause(err))
		}
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return d.readOpen(f, filepath.Join(root, rel))
}

func cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// Stat describes a path; Link is set when the path itself is a symbolic link,
// and the rest is of its target then.
type Stat struct {
	Exists, Link, Dir, Regular bool
	Mode                       fs.FileMode // permission, setuid, setgid, sticky
	UID                        int
	Links                      uint64
	Size                       int64
}

// Others reports permission bits of others and of the group.
func (s Stat) Others(bits fs.FileMode) bool { return s.Mode.Perm()&bits != 0 }

// Stat looks at a path without opening it.
func (d *Disk) Stat(path string) Stat {
	st, err := os.Lstat(path)
	if err != nil {
		return Stat{}
	}
	out := Stat{Exists: true}
	if st.Mode()&fs.ModeSymlink != 0 {
		out.Link = true
		if st, err = os.Stat(path); err != nil {
			return out
		}
	}
	fill(&out, st)
	return out
}

// Lstat is Stat that does not look through a link.
func (d *Disk) Lstat(path string) Stat {
	st, err := os.Lstat(path)
	if err != nil {
		return Stat{}
	}
	out := Stat{Exists: true, Link: st.Mode()&fs.ModeSymlink != 0}
	fill(&out, st)
	return out
}

func fill(out *Stat, st fs.FileInfo) {
	out.Mode = st.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	out.Dir, out.Regular, out.Size = st.IsDir(), st.Mode().IsRegular(), st.Size()
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		out.UID, out.Links = int(sys.Uid), sys.Nlink
	}
}

// Entry is one name of a directory.
type Entry struct {
	Name string
	Type fs.FileMode // type bits only
}

// List gives the names of a directory that is not a symbolic link, sorted. It
// stops at the run's limit of entries.
func (d *Disk) List(dir string) []Entry {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			d.Skip(dir, "cannot be listed: "+cause(err))
		}
		return nil
	}
	defer func() { _ = f.Close() }()
	var out []Entry
	for {
		left := d.limits.Entries - d.entries
		if left <= 0 {
			d.Skip(dir, fmt.Sprintf("more than %d directory entries in this run", d.limits.Entries))
			break
		}
		batch, err := f.ReadDir(min(left, 4096))
		d.entries += len(batch)
		for _, e := range batch {
			out = append(out, Entry{e.Name(), e.Type()})
		}
		if err != nil || len(batch) == 0 {
			break
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// WalkFiles visits everything below root that is not behind a link. visit
// gets the path relative to root and says whether to enter a directory. The
// walk ends when visit returns false for stop, or at a limit; the result says
// whether it saw everything.
func (d *Disk) WalkFiles(root string, visit func(rel string, e Entry) (enter, goOn bool)) bool {
	complete := true
	var walk func(rel string, depth int) bool
	walk = func(rel string, depth int) bool {
		if depth > d.limits.Depth {
			d.Skip(filepath.Join(root, rel), "too deep")
			complete = false
			return true
		}
		for _, e := range d.List(filepath.Join(root, rel)) {
			p := filepath.Join(rel, e.Name)
			enter, goOn := visit(p, e)
			if !goOn {
				complete = false
				return false
			}
			if enter && e.Type.IsDir() && !walk(p, depth+1) {
				return false
			}
		}
		if d.entries >= d.limits.Entries {
			complete = false
			return false
		}
		return true
	}
	walk("", 0)
	return complete
}

// RealBelow resolves path and reports whether it stays below root.
func (d *Disk) RealBelow(path, root string) (real string, inside bool) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path, false
	}
	base, err := filepath.EvalSymlinks(root)
	if err != nil {
		return real, false
	}
	return real, real == base || strings.HasPrefix(real, base+string(filepath.Separator))
}

// Resolve follows the symbolic links of the deepest part of path that exists.
func (d *Disk) Resolve(path string) string {
	rest := ""
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(real, rest)
		}
		if p == "/" || p == "." {
			return path
		}
		rest = filepath.Join(filepath.Base(p), rest)
	}
}
