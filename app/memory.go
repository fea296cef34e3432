package app

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// releaseStartPages gives back what only the start needed: free heap, and the
// pages of our own program that initialisation touched once. They stay in the
// page cache and come back when they are used.
func releaseStartPages() {
	debug.FreeOSMemory()
	exe, err := os.Executable()
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var from, to uintptr
		var mode string
		if _, err := fmt.Sscanf(sc.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasSuffix(sc.Text(), " "+exe) {
			continue
		}
		if strings.Contains(mode, "w") { // our data: it would be lost
			continue
		}
		_ = unix.Madvise(unsafe.Slice((*byte)(mapped(from)), int(to-from)), unix.MADV_DONTNEED)
	}
}

// mapped is the start of a mapping that the kernel named.
func mapped(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }
