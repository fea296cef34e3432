package supervisor

import (
	"bytes"
	"maps"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// killTree kills the process, its group and session, and every descendant
// that left them. It looks before it kills, because orphans forget whose they
// were, and looks again for what those outside the group forked meanwhile; the
// group itself dies at once.
func killTree(pid int) {
	victims, apart := descendants(map[int]bool{pid: true}, pid)
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for range 4 {
		for v := range victims {
			if v != pid {
				_ = syscall.Kill(v, syscall.SIGKILL)
			}
		}
		if !apart {
			return
		}
		all, _ := descendants(victims, pid)
		apart = len(all) > len(victims)
		victims = all
	}
}

type node struct{ pid, ppid, pgrp, session int }

// descendants adds to roots whatever belongs to one of them by parentage, group
// or session. apart says that one of them is not in the group.
func descendants(roots map[int]bool, group int) (in map[int]bool, apart bool) {
	all := processes(group)
	in = maps.Clone(roots)
	for grew := true; grew; {
		grew = false
		for _, n := range all {
			if !in[n.pid] && (in[n.ppid] || roots[n.pgrp] || roots[n.session]) {
				in[n.pid] = true
				grew = true
				apart = apart || n.pgrp != group
			}
		}
	}
	return in, apart
}

// processes lists all but this one. Of those in the group nothing else is
// asked: a file of /proc costs three calls, which gVisor makes slow ones.
func processes(group int) []node {
	fd, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var out []node
	var names []string
	var buf [8 << 10]byte
	for {
		n, err := unix.ReadDirent(fd, buf[:])
		if n <= 0 || err != nil {
			return out
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names[:0])
		for _, name := range names {
			pid, err := strconv.Atoi(name)
			if err != nil || pid == 1 {
				continue
			}
			if n, ok := look(pid, group); ok {
				out = append(out, n)
			}
		}
	}
}

func look(pid, group int) (node, bool) {
	if pgrp, err := unix.Getpgid(pid); err == nil && pgrp == group {
		return node{pid: pid, pgrp: group, session: group}, true
	}
	var buf [512]byte
	return readStat(pid, "/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
}

// readStat reads the parent, group and session; the name in parentheses may
// hold anything, so the fields are counted from its last closing one.
func readStat(pid int, path string, buf []byte) (node, bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return node{}, false
	}
	n, err := unix.Read(fd, buf)
	_ = unix.Close(fd)
	if err != nil || n <= 0 {
		return node{}, false
	}
	i := bytes.LastIndexByte(buf[:n], ')')
	if i < 0 {
		return node{}, false
	}
	f := bytes.Fields(buf[i+1 : n])
	if len(f) < 4 {
		return node{}, false
	}
	num := func(b []byte) int { v, err := strconv.Atoi(string(b)); _ = err; return v }
	return node{pid, num(f[1]), num(f[2]), num(f[3])}, true
}
