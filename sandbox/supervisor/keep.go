package supervisor

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Keep is the mode for the first process of a box around another runtime. It
// starts that, which may leave its own children behind, and stays as their
// parent with little memory until the last of them has ended.
const Keep = "keep"

// KeepEnv is what the runtime of that process should be started with: it does
// nothing but wait.
func KeepEnv() []string { return []string{"GOGC=off", "GOMAXPROCS=1"} }

// keep runs argv with this process's descriptors and returns its exit code
// when no child is left.
func keep(argv []string) int {
	if os.Getpid() != 1 || len(argv) == 0 {
		_, _ = os.Stderr.WriteString(filepath.Base(os.Args[0]) + ": only the first process of a sandbox can keep another\n")
		return 2
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	brisk() // the child's threads inherit it
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "GO") {
			env = append(env, e)
		}
	}
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: append(env, "GOMAXPROCS=2"), Files: []uintptr{0, 1, 2}})
	if err != nil {
		_, _ = os.Stderr.WriteString(argv[0] + ": " + err.Error() + "\n")
		return 127
	}
	// Whoever reads what the box writes must see its end.
	_ = unix.Close(0)
	_ = unix.Close(1)
	code := 0
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return code
		case got == pid && ws.Exited():
			code = ws.ExitStatus()
		}
	}
}
