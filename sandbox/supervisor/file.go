package supervisor

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit codes of a file operation, so that the gateway can tell why it failed.
const (
	FileOK         = 0
	FileFailed     = 1
	FileUsage      = 2
	FileNotExist   = 3
	FileDenied     = 4
	FileReadOnly   = 5
	FileNotRegular = 6
	FileTooBig     = 7
	FileExists     = 8
)

// fileOp acts on a path that exists only inside the box, as an ordinary
// process with the rights of any command there.
func fileOp(args []string) int {
	if len(args) < 2 {
		return FileUsage
	}
	op, path := args[0], args[1]
	switch op {
	case "read":
		return fileRead(path, args[2:])
	case "write":
		return fileWrite(path)
	case "stat":
		return fileStat(path)
	case "list":
		return fileList(path, args[2:])
	case "remove":
		return code(os.Remove(path))
	case "rename":
		if len(args) != 3 {
			return FileUsage
		}
		return code(os.Rename(path, args[2]))
	}
	return FileUsage
}

func code(err error) int {
	if err == nil {
		return FileOK
	}
	var e syscall.Errno
	switch x := err.(type) {
	case *os.PathError:
		e, _ = x.Err.(syscall.Errno)
	case *os.LinkError:
		e, _ = x.Err.(syscall.Errno)
	case syscall.Errno:
		e = x
	}
	switch e {
	case syscall.ENOENT, syscall.ENOTDIR:
		return FileNotExist
	case syscall.EACCES, syscall.EPERM:
		return FileDenied
	case syscall.EROFS:
		return FileReadOnly
	case syscall.EEXIST:
		return FileExists
	}
	return FileFailed
}

func limitOf(args []string, def int64) int64 {
	if len(args) == 1 {
		if n, err := strconv.ParseInt(args[0], 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	return def
}

func fileRead(path string, args []string) int {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return code(err)
	}
	fi, err := f.Stat()
	if err != nil {
		return code(err)
	}
	if !fi.Mode().IsRegular() {
		return FileNotRegular
	}
	limit := limitOf(args, 1<<20)
	if fi.Size() > limit {
		return FileTooBig
	}
	describe(os.Stderr, fi)
	_, err = io.Copy(os.Stdout, io.LimitReader(f, limit))
	return code(err)
}

func fileWrite(path string) int {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return code(err)
	}
	if fi, err := os.Stat(path); err == nil && !fi.Mode().IsRegular() {
		return FileNotRegular
	} else if err != nil {
		_, _ = os.Stderr.WriteString("created\n")
	}
	t, err := os.CreateTemp(dir, ".chitin-*")
	if err != nil {
		return code(err)
	}
	_, err = io.Copy(t, os.Stdin)
	if err == nil {
		err = t.Chmod(0o644)
	}
	if err == nil {
		err = t.Close()
	}
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
	return code(err)
}

func fileStat(path string) int {
	fi, err := os.Stat(path)
	if err != nil {
		return code(err)
	}
	describe(os.Stdout, fi)
	return FileOK
}

func fileList(path string, args []string) int {
	d, err := os.Open(path)
	if err != nil {
		return code(err)
	}
	list, err := d.ReadDir(int(limitOf(args, 1000)))
	if err != nil && err != io.EOF {
		return code(err)
	}
	for _, e := range list {
		if fi, err := e.Info(); err == nil {
			describe(os.Stdout, fi)
		}
	}
	return FileOK
}

// describe writes size, mode, modification time and name, NUL-terminated.
func describe(w io.StringWriter, fi os.FileInfo) {
	dir := "0"
	if fi.IsDir() {
		dir = "1"
	}
	_, _ = w.WriteString(strconv.FormatInt(fi.Size(), 10) + " " + strconv.FormatUint(uint64(fi.Mode().Perm()), 8) + " " + dir + " " +
		strconv.FormatInt(fi.ModTime().UnixNano(), 10) + " " + fi.Name() + "\x00")
}
