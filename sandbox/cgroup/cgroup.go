//go:build linux

// Package cgroup bounds the memory, processes and processor share of the
// embedded backends' boxes, through control groups of version 1 or 2 below the
// gateway's own, where it may make them. Where it may not, the backends fall
// back to limits per process and say so.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrUnavailable means that no group can be made here.
var ErrUnavailable = errors.New("cgroup: no writable control group")

// Limits of one group; zero means unlimited.
type Limits struct {
	Memory   int64 // bytes, swap included
	Pids     int64
	NanoCPUs int64 // 1e9 is one core
}

// Controllers that limits need.
const (
	Memory = "memory"
	Pids   = "pids"
	CPU    = "cpu"
)

// period is the accounting period of the processor share in microseconds.
const period = 100000

// Tree is where the groups of one state directory are made: beside each other
// in the gateway's own group, told apart by a prefix.
type Tree struct {
	v2     bool
	prefix string
	dirs   map[string]string // controller → the gateway's group in its hierarchy
}

// Version is 1 or 2.
func (t *Tree) Version() int {
	if t.v2 {
		return 2
	}
	return 1
}

// Has reports whether the tree can limit what the controller governs.
func (t *Tree) Has(controller string) bool { return t != nil && t.dirs[controller] != "" }

// Group is one box's group.
type Group struct {
	v2   bool
	dirs map[string]string
}

// Create makes a group with its limits. Nothing is left behind on error.
func (t *Tree) Create(name string, l Limits) (*Group, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") || strings.HasPrefix(name, ".") {
		return nil, fmt.Errorf("cgroup: %q is no name for a group", name)
	}
	g := &Group{v2: t.v2, dirs: map[string]string{}}
	for c, dir := range t.dirs {
		g.dirs[c] = filepath.Join(dir, t.prefix+name)
		if err := os.Mkdir(g.dirs[c], 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, errors.Join(fmt.Errorf("cgroup: %w", err), g.Remove(0))
		}
	}
	if err := g.limit(l); err != nil {
		return nil, errors.Join(err, g.Remove(0))
	}
	return g, nil
}

// limit writes the limits; those of a controller that is not there are left
// to the caller.
func (g *Group) limit(l Limits) error {
	type setting struct {
		controller, file, value string
		optional                bool
	}
	num := func(n int64) string { return strconv.FormatInt(n, 10) }
	quota := l.NanoCPUs * period / 1e9
	var all []setting
	if g.v2 {
		all = []setting{
			{Memory, "memory.max", num(l.Memory), false}, {Memory, "memory.swap.max", "0", true},
			{Pids, "pids.max", num(l.Pids), false}, {CPU, "cpu.max", fmt.Sprintf("%d %d", quota, period), false},
		}
	} else {
		all = []setting{
			{Memory, "memory.limit_in_bytes", num(l.Memory), false},
			{Memory, "memory.memsw.limit_in_bytes", num(l.Memory), true},
			{Pids, "pids.max", num(l.Pids), false},
			{CPU, "cpu.cfs_period_us", num(period), false}, {CPU, "cpu.cfs_quota_us", num(quota), false},
		}
	}
	wanted := map[string]bool{Memory: l.Memory > 0, Pids: l.Pids > 0, CPU: quota > 0}
	for _, s := range all {
		dir := g.dirs[s.controller]
		if dir == "" || !wanted[s.controller] {
			continue
		}
		err := write(filepath.Join(dir, s.file), s.value)
		if err != nil && (!s.optional || !errors.Is(err, os.ErrNotExist)) {
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	return nil
}

func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// Dirs returns the group's directory on the host for each controller, "" being
// the one directory of version 2.
func (g *Group) Dirs() map[string]string {
	if g.v2 {
		for _, d := range g.dirs {
			return map[string]string{"": d}
		}
	}
	return g.dirs
}

// Add moves a process, and whatever it starts from now on, into the group.
func (g *Group) Add(pid int) error {
	for _, d := range g.unique() {
		if err := write(filepath.Join(d, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("cgroup: add process: %w", err)
		}
	}
	return nil
}

// Enter moves the calling thread, which must be locked to its goroutine, into
// the group, so that what it forks is born there, and returns how to leave.
// Moving oneself is the one way that does not wait for every processor of the
// machine. Version 2 has no such way; there, fork with FD.
func (g *Group) Enter() (leave func() error, err error) {
	if g.v2 {
		return nil, ErrUnavailable
	}
	home := map[string]string{} // the group lies in the gateway's own
	for _, d := range g.unique() {
		home[d] = filepath.Join(filepath.Dir(d), "tasks")
	}
	leave = func() error {
		var errs error
		for _, tasks := range home {
			errs = errors.Join(errs, write(tasks, "0"))
		}
		return errs
	}
	for d := range home {
		if err := write(filepath.Join(d, "tasks"), "0"); err != nil {
			return nil, errors.Join(fmt.Errorf("cgroup: enter: %w", err), leave())
		}
	}
	return leave, nil
}

// FD opens the group's one directory of version 2, for a fork into it.
func (g *Group) FD() (*os.File, error) {
	if !g.v2 {
		return nil, ErrUnavailable
	}
	return os.Open(g.unique()[0])
}

// OOMKills counts the processes that the memory limit has killed; 0 when that
// cannot be known.
func (g *Group) OOMKills() int64 {
	file := "memory.oom_control"
	if g.v2 {
		file = "memory.events"
	}
	b, err := os.ReadFile(filepath.Join(g.dirs[Memory], file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return 0
}

// Kill kills every process in the group.
func (g *Group) Kill() {
	for _, d := range g.unique() {
		if g.v2 && write(filepath.Join(d, "cgroup.kill"), "1") == nil {
			continue
		}
		for _, pid := range pids(d) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// PIDs are the group's processes, as this process numbers them.
func (g *Group) PIDs() []int {
	for _, d := range g.unique() {
		return pids(d)
	}
	return nil
}

func pids(dir string) []int {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var out []int
	for f := range strings.FieldsSeq(string(b)) {
		if pid, err := strconv.Atoi(f); err == nil && pid > 1 {
			out = append(out, pid)
		}
	}
	return out
}

// Remove removes the group, waiting up to patience for its last processes to
// go. A group that is gone already is no error.
func (g *Group) Remove(patience time.Duration) error {
	deadline := time.Now().Add(patience)
	var err error
	for wait := time.Millisecond; ; wait *= 2 {
		err = nil
		for _, d := range g.unique() {
			err = errors.Join(err, removeTree(d))
		}
		if err == nil || time.Now().Add(wait).After(deadline) {
			return err
		}
		time.Sleep(wait)
	}
}

// removeTree removes a group and the groups that something made below it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	if rm := syscall.Rmdir(dir); rm != nil && rm != syscall.ENOENT {
		err = errors.Join(err, &os.PathError{Op: "rmdir", Path: dir, Err: rm})
	}
	return err
}

func (g *Group) unique() []string {
	out := make([]string, 0, len(g.dirs))
	for _, d := range g.dirs {
		if d != "" && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	slices.Sort(out)
	return out
}

// Open returns the group of a name, whether or not it exists.
func (t *Tree) Open(name string) *Group {
	g := &Group{v2: t.v2, dirs: map[string]string{}}
	for c, dir := range t.dirs {
		g.dirs[c] = filepath.Join(dir, t.prefix+name)
	}
	return g
}

// Names lists the groups of the tree.
func (t *Tree) Names() []string {
	var out []string
	for _, dir := range t.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if name, ok := strings.CutPrefix(e.Name(), t.prefix); ok && e.IsDir() && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Sweep kills and removes every group that keep does not claim, and reports how
// many.
func (t *Tree) Sweep(keep func(name string) bool) (int, error) {
	n := 0
	var errs error
	for _, name := range t.Names() {
		if keep != nil && keep(name) {
			continue
		}
		g := t.Open(name)
		g.Kill()
		if err := g.Remove(5 * time.Second); err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		n++
	}
	return n, errs
}
