package probe

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

// Listeners reads the listening TCP sockets of this network namespace.
func Listeners() ([]audit.Listener, error) {
	var out []audit.Listener
	var errs []error
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sc := bufio.NewScanner(io.LimitReader(f, 8<<20))
		for sc.Scan() {
			if l, ok := parseListener(sc.Text()); ok {
				out = append(out, l)
			}
		}
		errs = append(errs, sc.Err(), f.Close())
	}
	if len(out) > 0 {
		return out, nil
	}
	return out, errors.Join(errs...)
}

// parseListener reads a line of /proc/net/tcp; state 0A is listening.
func parseListener(line string) (audit.Listener, bool) {
	f := strings.Fields(line)
	if len(f) < 8 || f[3] != "0A" {
		return audit.Listener{}, false
	}
	host, port, ok := strings.Cut(f[1], ":")
	raw, err := hex.DecodeString(host)
	p, perr := strconv.ParseUint(port, 16, 16)
	uid, uerr := strconv.Atoi(f[7])
	if !ok || err != nil || perr != nil || uerr != nil || len(raw) != 4 && len(raw) != 16 {
		return audit.Listener{}, false
	}
	for i := 0; i+3 < len(raw); i += 4 { // each word is in host order
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	a, _ := netip.AddrFromSlice(raw)
	return audit.Listener{Addr: netip.AddrPortFrom(a.Unmap(), uint16(p)), UID: uid}, true
}

// Gateway asks a gateway whether it is alive. No credential is sent, and a
// redirect is not followed.
func Gateway(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/health", nil)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}
