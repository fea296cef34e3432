//go:build linux

package namespace

import "os"

// Self is who a box runs as: root's boxes as a number that is nobody on the
// host, anybody else's as themselves, whatever they are called inside.
func Self(uid, gid int) Identity {
	if os.Geteuid() == 0 {
		return Identity{uid: uid, gid: gid, hostUID: uid, hostGID: gid, privileged: true}
	}
	return Identity{uid: uid, gid: gid, hostUID: os.Geteuid(), hostGID: os.Getegid()}
}
