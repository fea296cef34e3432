package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ListenOptions is what Listen needs beside the configuration.
type ListenOptions struct {
	StateDir string // where the default Unix socket and a self-signed certificate live
	Mode     Mode   // the resolved mode, see Guard.Mode
}

// Listen opens everything that the configuration says to listen on, and
// refuses what must not be reachable. The first listener is the one to show to
// the user. On error nothing stays open.
func Listen(ctx context.Context, cfg Config, opt ListenOptions) (out []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range out {
				_ = l.Close()
			}
			out = nil
		}
	}()
	if opt.Mode == ModeNone && cfg.beyondLoopback() {
		return nil, startRefusal(exitConfig, "Refusing to bind gateway to "+cfg.bindName()+" without auth.", "set gateway.auth.mode: token, or gateway.bind: loopback")
	}
	tlsConf, err := serverTLS(cfg, opt)
	if err != nil {
		return nil, err
	}
	port := cfg.EffectivePort()
	for _, a := range bindAddrs(cfg) {
		l, err := listenTCP(ctx, a, port)
		if err != nil {
			return out, err
		}
		if l == nil {
			continue
		}
		if port < 0 { // any free port: the same one for every address
			port = l.Addr().(*net.TCPAddr).Port
		}
		if tlsConf != nil {
			l = tls.NewListener(l, tlsConf)
		}
		out = append(out, l)
	}
	if path := cfg.socketPath(opt); path != "" {
		l, err := listenUnix(ctx, path, cfg.socketOpen())
		if err != nil {
			return out, err
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		return nil, startRefusal(exitConfig, "There is nothing to listen on.", "set gateway.bind to loopback")
	}
	return out, nil
}

// bindAddr is one address to listen on. An optional one may be missing on this
// machine.
type bindAddr struct {
	addr     netip.Addr
	optional bool
}

func bindAddrs(cfg Config) []bindAddr {
	v4, v6 := bindAddr{addr: netip.AddrFrom4([4]byte{127, 0, 0, 1})}, bindAddr{netip.IPv6Loopback(), true}
	switch cfg.Bind {
	case "unix":
		return nil
	case "lan":
		return []bindAddr{{addr: netip.IPv4Unspecified()}}
	case "auto":
		if cfg.beyondLoopback() {
			return []bindAddr{{addr: netip.IPv4Unspecified()}}
		}
	case "tailnet":
		if a, ok := tailnetAddr(); ok {
			return []bindAddr{{addr: a}, v4}
		}
	case "custom":
		a, err := netip.ParseAddr(cfg.CustomBindHost)
		if err != nil {
			return nil
		}
		if a.IsUnspecified() || a == v4.addr {
			return []bindAddr{{addr: a}}
		}
		return []bindAddr{{addr: a}, v4}
	}
	return []bindAddr{v4, v6}
}

// tailnetAddr is this machine's IPv4 address in the tailnet.
func tailnetAddr() (netip.Addr, bool) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && cgnat.Contains(p.Addr()) {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}

func listenTCP(ctx context.Context, a bindAddr, port int) (net.Listener, error) {
	network := "tcp4"
	if a.addr.Is6() {
		network = "tcp6"
	}
	if port < 0 {
		port = 0
	}
	lc := net.ListenConfig{KeepAlive: 30 * time.Second}
	l, err := lc.Listen(ctx, network, netip.AddrPortFrom(a.addr, uint16(port)).String())
	if err != nil {
		if a.optional {
			return nil, nil //nolint:nilnil // this machine has no such address
		}
		return nil, startRefusal(exitSecrets, "Cannot listen on "+net.JoinHostPort(a.addr.String(), strconv.Itoa(port))+": "+errors.Unwrap(err).Error()+".", "stop whatever uses the port, or choose another with --port")
	}
	return park(l), nil
}

// socketPath is where the Unix socket goes, empty for none.
func (c Config) socketPath(opt ListenOptions) string {
	if c.Auth.Unix.Socket != "" {
		return c.Auth.Unix.Socket
	}
	if (c.Bind == "unix" || c.Auth.Mode == ModeUnix) && opt.StateDir != "" {
		return filepath.Join(opt.StateDir, "gateway.sock")
	}
	return ""
}

// socketOpen reports whether other users are meant to reach the socket. The
// kernel still tells the gateway who they are.
func (c Config) socketOpen() bool {
	if len(c.Auth.Unix.AllowUsers) > 0 {
		return true
	}
	for name := range c.Auth.Principals {
		if len(name) > 5 && name[:5] == "unix:" {
			return true
		}
	}
	return false
}

func listenUnix(ctx context.Context, path string, open bool) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, startRefusal(exitSecrets, "Cannot listen on "+path+": "+err.Error()+".", "choose another path with gateway.auth.unix.socket")
	}
	mode := fs.FileMode(0o600)
	if open {
		mode = 0o666
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	return park(l), nil
}

// removeStale removes a socket that a dead gateway left behind. A living one
// and anything that is not a socket stay.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	if st.Mode().Type() != fs.ModeSocket {
		return startRefusal(exitConfig, path+" is in the way: it is not a socket.", "remove it or choose another path with gateway.auth.unix.socket")
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return startRefusal(exitSecrets, "Another gateway listens on "+path+".", "stop it first")
	}
	return os.Remove(path)
}

// ListenPrivate opens the loopback listener that the Tailscale daemon forwards
// to. Its port is chosen by the kernel.
func ListenPrivate(ctx context.Context) (net.Listener, int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, 0, fmt.Errorf("private listener: %w", err)
	}
	return PrivateListener(park(l)), l.Addr().(*net.TCPAddr).Port, nil
}
