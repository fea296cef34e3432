package securepath

import "golang.org/x/sys/unix"

// O_PATH needs no right to read a directory or a program.
const (
	dirFlags     = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	programFlags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
)
