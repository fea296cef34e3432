package supervisor

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxOffered bounds connections through the box's proxy at a time.
const maxOffered = 64

// offer accepts connections on the box's own loopback and joins each to the
// gateway's proxy. It looks at no byte of them.
func offer(path string) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(l)
	if unix.Bind(l, &unix.SockaddrInet4{Port: EgressPort, Addr: [4]byte{127, 0, 0, 1}}) != nil || unix.Listen(l, 64) != nil {
		return
	}
	free := make(chan struct{}, maxOffered)
	for {
		free <- struct{}{}
		c, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
		if err != nil {
			<-free
			if err != unix.EINTR && err != unix.ECONNABORTED {
				time.Sleep(50 * time.Millisecond) // out of descriptors, say
			}
			continue
		}
		go func() {
			join(c, path)
			<-free
		}()
	}
}

// join copies both ways until both have ended.
func join(c int, path string) {
	defer unix.Close(c)
	up, err := dial(path)
	if err != nil {
		return
	}
	defer unix.Close(up)
	var both sync.WaitGroup
	both.Go(func() { move(up, c) })
	both.Go(func() { move(c, up) })
	both.Wait()
}

func move(to, from int) {
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Read(from, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			_ = unix.Shutdown(to, unix.SHUT_WR)
			return
		}
		for b := buf[:n]; len(b) > 0; {
			k, err := unix.Write(to, b)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				_ = unix.Shutdown(from, unix.SHUT_RD)
				return
			}
			b = b[k:]
		}
	}
}
