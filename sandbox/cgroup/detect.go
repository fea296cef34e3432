//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Detect finds where groups can be made in the gateway's own; their names will
// begin with name. It leaves nothing behind. It returns ErrUnavailable when not even one
// controller is writable, and a tree without the others when only some are.
func Detect(name string) (*Tree, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return detect(name, string(mounts), string(own))
}

// Of finds the memory group of a process, as this process sees it, to read
// from; ErrUnavailable where it cannot be seen.
func Of(pid int) (*Group, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	own, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	paths := ownGroups(string(own))
	var unified *hierarchy
	for _, h := range hierarchies(string(mounts)) {
		if h.controllers == nil {
			unified = &h
		} else if slices.Contains(h.controllers, Memory) {
			return groupAt(h, paths[Memory], false)
		}
	}
	if unified == nil {
		return nil, ErrUnavailable
	}
	return groupAt(*unified, paths[""], true)
}

// groupAt is a group that must lie below what is mounted.
func groupAt(h hierarchy, path string, v2 bool) (*Group, error) {
	rel, err := filepath.Rel(h.root, path)
	if err != nil || path == "" || strings.HasPrefix(rel, "..") {
		return nil, ErrUnavailable
	}
	dir := filepath.Join(h.point, rel)
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return &Group{v2: v2, dirs: map[string]string{Memory: dir}}, nil
}

// hierarchy is one mounted cgroup file system.
type hierarchy struct {
	point       string   // where it is mounted
	root        string   // which group is its top
	controllers []string // of version 1; nil for version 2
}

func detect(name, mounts, own string) (*Tree, error) {
	paths := ownGroups(own)
	var v1 []hierarchy
	var v2 *hierarchy
	for _, h := range hierarchies(mounts) {
		if h.controllers == nil {
			v2 = &h
		} else {
			v1 = append(v1, h)
		}
	}
	t := &Tree{prefix: name + "-", dirs: map[string]string{}}
	for _, h := range v1 {
		for _, c := range []string{Memory, Pids, CPU} {
			if slices.Contains(h.controllers, c) {
				t.claim(c, h.at(paths[c]))
			}
		}
	}
	if len(t.dirs) == 0 && v2 != nil {
		t.v2 = true
		t.claimV2(v2.at(paths[""]))
	}
	if len(t.dirs) == 0 {
		return nil, ErrUnavailable
	}
	return t, nil
}

// claim takes a hierarchy of version 1, if we may make groups there.
func (t *Tree) claim(controller, own string) {
	if writable(own, t.prefix) {
		t.dirs[controller] = own
	}
}

// writable tries to make a group. What a process left that was killed just then
// goes with it, whatever its tree was.
func writable(own, prefix string) bool {
	const mark = ".probe-"
	old, err := filepath.Glob(filepath.Join(own, mark+"chitin-*"))
	for _, dir := range old {
		pid, aerr := strconv.Atoi(dir[strings.LastIndexByte(dir, '-')+1:])
		if err == nil && aerr == nil && pid > 0 && unix.Kill(pid, 0) == unix.ESRCH {
			_ = os.Remove(dir)
		}
	}
	probe := filepath.Join(own, mark+prefix+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(probe, 0o755); err != nil {
		return false
	}
	err = os.Remove(probe)
	return err == nil || os.IsNotExist(err)
}

// claimV2 takes the unified hierarchy. Controllers pass to children only from a
// group without processes of its own, so a gateway that was given a group of
// its own first moves into a leaf of it.
func (t *Tree) claimV2(own string) {
	if !writable(own, t.prefix) {
		return
	}
	if len(enable(own)) == 0 {
		leaf := filepath.Join(own, "gateway")
		if os.Mkdir(leaf, 0o755) == nil || exists(leaf) {
			_ = write(filepath.Join(leaf, "cgroup.procs"), strconv.Itoa(os.Getpid()))
		}
	}
	for _, c := range enable(own) {
		t.dirs[c] = own
	}
}

// enable passes the controllers we need on to the children of dir and returns
// those that are.
func enable(dir string) []string {
	for _, c := range []string{Memory, Pids, CPU} {
		_ = write(filepath.Join(dir, "cgroup.subtree_control"), "+"+c)
	}
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return nil
	}
	var out []string
	for f := range strings.FieldsSeq(strings.ReplaceAll(string(b), "+", " ")) {
		if (f == Memory || f == Pids || f == CPU) && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// at is the directory of a group that /proc/self/cgroup names.
func (h hierarchy) at(group string) string {
	rel, err := filepath.Rel(h.root, group)
	if err != nil || strings.HasPrefix(rel, "..") {
		rel = "."
	}
	return filepath.Join(h.point, rel)
}

// ownGroups reads /proc/self/cgroup: controller → group, "" for version 2.
func ownGroups(s string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(s) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for c := range strings.SplitSeq(parts[1], ",") {
			out[c] = parts[2]
		}
	}
	return out
}

// hierarchies reads the cgroup mounts out of /proc/self/mountinfo.
func hierarchies(s string) []hierarchy {
	var out []hierarchy
	for line := range strings.Lines(s) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 {
			continue
		}
		h := hierarchy{root: l[3], point: l[4]}
		switch r[0] {
		case "cgroup":
			h.controllers = strings.Split(r[2], ",")
		case "cgroup2":
		default:
			continue
		}
		out = append(out, h)
	}
	return out
}
