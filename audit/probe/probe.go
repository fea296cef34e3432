// Package probe asks the live parts around a subject: the container engine,
// the gateway, the host's sockets and kernel. It only reads, every answer is
// bounded, and every question has a deadline.
package probe

import (
	"os"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/audit"
)

// wait is the longest time for one answer of an engine or a gateway.
const wait = 5 * time.Second

// Plain are the probes of a run without --deep.
func Plain(getenv func(string) string, subject string) audit.Probes {
	return audit.Probes{Browser: browser(getenv, subject), Euid: os.Geteuid}
}

// Deep are all probes.
func Deep(getenv func(string) string, subject string) audit.Probes {
	p := Plain(getenv, subject)
	p.Gateway = Gateway
	if e, ok := NewEngine(getenv); ok {
		p.Engine = e
	}
	p.Listeners = Listeners
	p.Sysctl = Sysctl
	return p
}

// Sysctl reads a small file below /proc or /sys.
func Sysctl(path string) (string, bool) {
	if !strings.HasPrefix(path, "/proc/") && !strings.HasPrefix(path, "/sys/") {
		return "", false
	}
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, 64<<10)
	n, _ := f.Read(buf)
	return strings.TrimSpace(string(buf[:n])), true
}
