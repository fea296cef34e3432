//go:build linux

package namespace

import "os"

// self is who a box runs as: root's boxes as a number that is nobody on the
// host, anybody else's as themselves, whatever they are called inside.
func self(uid, gid int) identity {
	if os.Geteuid() == 0 {
		return identity{uid: uid, gid: gid, hostUID: uid, hostGID: gid, privileged: true}
	}
	return identity{uid: uid, gid: gid, hostUID: os.Geteuid(), hostGID: os.Getegid()}
}
