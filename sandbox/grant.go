package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Workspaces of a gateway that runs as root often belong to root, while boxes
// run as nobody of the host. An access list then lets the box's user in
// without changing whose the files are; mapping root's files to the box's
// user instead would let a box leave set-uid files of root behind.

const (
	aclName    = "system.posix_acl_access"
	aclVersion = 2
	aclUserObj = 0x01
	aclUser    = 0x02
	aclGroup   = 0x04
	aclMask    = 0x10
	aclOther   = 0x20
	// maxGrant bounds how many files one grant touches.
	maxGrant = 100_000
)

// CheckWorkspace refuses to mount what is never an agent's to see. state is
// the state directory, of which only the workspaces may be mounted.
func CheckWorkspace(dir, state string) error {
	real, err := realPath(filepath.Clean(dir))
	if err != nil {
		return err
	}
	if sreal, err := realPath(filepath.Clean(state)); err == nil && state != "" {
		if within(real, filepath.Join(sreal, "workspaces")) || within(real, filepath.Join(sreal, "sandbox", "boxes")) {
			return nil
		}
		if within(real, sreal) || within(sreal, real) {
			return fmt.Errorf("%w: workspace %s is or holds the state directory", ErrRefused, dir)
		}
	}
	for _, b := range blockedPaths {
		// Directories below root's home are workspaces like any other.
		if within(b, real) || b != "/root" && within(real, b) {
			return fmt.Errorf("%w: workspace %s is or holds %s", ErrRefused, dir, b)
		}
	}
	for _, h := range machineHomes() {
		if real == h || within(h, real) {
			return fmt.Errorf("%w: workspace %s is or holds the home directory %s", ErrRefused, dir, h)
		}
		for _, c := range credentialDirs {
			if cd := filepath.Join(h, c); within(real, cd) || within(cd, real) {
				return fmt.Errorf("%w: workspace %s is or holds %s", ErrRefused, dir, cd)
			}
		}
	}
	return nil
}

// grantWorkspace lets the box's user into a workspace of somebody else's.
func grantWorkspace(s Spec) error {
	u, _, _ := strings.Cut(s.User, ":")
	uid, err := strconv.ParseUint(u, 10, 32)
	if err != nil || os.Getuid() != 0 || s.Workspace == "" {
		return err
	}
	owner, _, err := ownerOf(s.Workspace)
	if err != nil || uint64(owner) == uid {
		return err
	}
	var perm uint16 = 4
	if s.Access == "rw" || s.Access == "none" {
		perm = 6
	} else if fi, err := os.Stat(s.Workspace); err == nil && fi.Mode().Perm()&0o005 == 0o005 {
		return nil // everybody may read it already
	}
	root, err := os.OpenRoot(s.Workspace)
	if err != nil {
		return err
	}
	defer root.Close()
	n := 0
	return fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went away meanwhile
		}
		if n++; n > maxGrant {
			return fmt.Errorf("%w: workspace %s holds more than %d files of another user; make them user %d's", ErrRefused, s.Workspace, maxGrant, uid)
		}
		if !d.IsDir() && !d.Type().IsRegular() {
			return nil
		}
		return grantOne(root, p, uint32(uid), perm)
	})
}

// grantOne adds one entry to one file's access list. A file with further hard
// links may be somebody else's elsewhere and is left alone.
func grantOne(root *os.Root, name string, uid uint32, perm uint16) error {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	dir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if !dir && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 1) || st.Uid == uid {
		return nil
	}
	if dir || st.Mode&0o111 != 0 {
		perm |= 1
	}
	have := make([]byte, 4096)
	k, err := unix.Fgetxattr(int(f.Fd()), aclName, have)
	if err != nil {
		k = 0
	}
	acl, err := withEntry(have[:k], st.Mode, uid, perm)
	if err != nil {
		return err
	}
	if err := unix.Fsetxattr(int(f.Fd()), aclName, acl, 0); err != nil {
		return fmt.Errorf("%w: %s cannot be opened to the sandbox's user %d (%w); give it to that user or run as its owner", ErrRefused, name, uid, err)
	}
	return nil
}

type aclEntry struct {
	tag, perm uint16
	id        uint32
}

// withEntry returns an encoded access list with one user's entry added or
// widened and the mask covering it.
func withEntry(enc []byte, mode uint32, uid uint32, perm uint16) ([]byte, error) {
	entries, err := parseACL(enc)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		entries = []aclEntry{{aclUserObj, uint16(mode>>6) & 7, ^uint32(0)}, {aclGroup, uint16(mode>>3) & 7, ^uint32(0)}, {aclOther, uint16(mode) & 7, ^uint32(0)}}
	}
	at := slices.IndexFunc(entries, func(e aclEntry) bool { return e.tag == aclUser && e.id == uid })
	if at < 0 {
		entries = append(entries, aclEntry{aclUser, perm, uid})
	} else {
		entries[at].perm |= perm
	}
	mask := slices.IndexFunc(entries, func(e aclEntry) bool { return e.tag == aclMask })
	if mask < 0 {
		group := entries[slices.IndexFunc(entries, func(e aclEntry) bool { return e.tag == aclGroup })].perm
		entries = append(entries, aclEntry{aclMask, group | perm, ^uint32(0)})
	} else {
		entries[mask].perm |= perm
	}
	slices.SortStableFunc(entries, func(a, b aclEntry) int {
		if a.tag != b.tag {
			return int(a.tag) - int(b.tag)
		}
		return int(int64(a.id) - int64(b.id))
	})
	out := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		out = binary.LittleEndian.AppendUint16(out, e.tag)
		out = binary.LittleEndian.AppendUint16(out, e.perm)
		out = binary.LittleEndian.AppendUint32(out, e.id)
	}
	return out, nil
}

func parseACL(b []byte) ([]aclEntry, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 4 || (len(b)-4)%8 != 0 || binary.LittleEndian.Uint32(b) != aclVersion {
		return nil, errors.New("an access list of an unknown form")
	}
	var out []aclEntry
	groups := 0
	for b = b[4:]; len(b) > 0; b = b[8:] {
		e := aclEntry{binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])}
		if e.tag == aclGroup {
			groups++
		}
		out = append(out, e)
	}
	if groups != 1 {
		return nil, errors.New("an access list without a group entry")
	}
	return out, nil
}
