package gateway

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Client is where a request really comes from.
type Client struct {
	Addr    netip.Addr // the client, behind trusted proxies if there are any; invalid on a Unix socket
	Peer    netip.Addr // the other end of the socket
	Proxied bool       // a trusted proxy vouches for Addr
	Unix    bool       // came over the Unix socket
	UID     uint32     // on the Unix socket: the peer's uid as the kernel says
	Local   bool       // direct from this machine, not through any proxy
	Browser bool       // a browser sent it
}

// String is the client as logs and the journal write it.
func (c Client) String() string {
	if c.Unix {
		return "unix:" + strconv.FormatUint(uint64(c.UID), 10)
	}
	return c.Addr.String()
}

// identityHeaders are headers of other people's identity proxies. They mean
// nothing unless a trusted proxy sent them.
var identityHeaders = [...]string{"Tailscale-User-Login", "Tailscale-User-Name", "Tailscale-User-Profile-Pic", "Tailscale-App-Capabilities"}

// proxyShaped reports whether a request carries any forwarding header.
func proxyShaped(h http.Header) bool {
	for k := range h {
		if len(k) < 9 {
			continue
		}
		switch k[0] {
		case 'F':
			if k == "Forwarded" {
				return true
			}
		case 'X':
			if k == "X-Real-Ip" || strings.HasPrefix(k, "X-Forwarded-") {
				return true
			}
		case 'T':
			for _, t := range identityHeaders {
				if k == t {
					return true
				}
			}
		}
	}
	return false
}

// attribute finds the client. ok is false when forwarding headers come from
// somebody who may not send them or when they name no client: such a request
// is refused, not merely stripped, because guessing either way is unsafe.
func (a *authority) attribute(r *http.Request, conn *Conn) (c Client, ok bool) {
	c.Browser = fromBrowser(r.Header)
	shaped := proxyShaped(r.Header)
	if conn != nil && conn.Unix {
		c.Unix, c.UID, c.Local = true, conn.UID, true
		return c, !shaped && conn.Known
	}
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return c, false
	}
	c.Peer = ap.Addr().Unmap()
	c.Addr = c.Peer
	private := conn != nil && conn.Tailscale
	if !shaped {
		c.Local = c.Peer.IsLoopback() && !private
		return c, c.Local || !private && !a.trusted(c.Peer)
	}
	if !private && !a.trusted(c.Peer) {
		return c, false
	}
	if addr, found := a.forwardedFor(r.Header, private); found {
		c.Addr, c.Proxied = addr, true
		return c, true
	}
	return c, false
}

// trusted reports whether addr belongs to a configured proxy.
func (a *authority) trusted(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range a.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// forwardedFor scans X-Forwarded-For from the right: the first hop that is
// neither loopback nor a trusted proxy is the client. Anything unreadable on
// the way makes the whole header unusable.
func (a *authority) forwardedFor(h http.Header, private bool) (netip.Addr, bool) {
	if vals := h["X-Forwarded-For"]; len(vals) > 0 {
		if addr, ok := a.lastForeignHop(vals); ok {
			return addr, true
		}
	}
	if a.cfg.AllowRealIPFallback && !private && len(h["X-Real-Ip"]) == 1 {
		if addr, err := parseHop(h["X-Real-Ip"][0]); err == nil && !addr.IsLoopback() && !a.trusted(addr) {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

const maxHops = 32

func (a *authority) lastForeignHop(vals []string) (netip.Addr, bool) {
	hops := 0
	for i := len(vals) - 1; i >= 0; i-- {
		rest := vals[i]
		for rest != "" {
			var hop string
			if j := strings.LastIndexByte(rest, ','); j >= 0 {
				rest, hop = rest[:j], rest[j+1:]
			} else {
				rest, hop = "", rest
			}
			hops++
			addr, err := parseHop(hop)
			if err != nil || hops > maxHops {
				return netip.Addr{}, false
			}
			if !addr.IsLoopback() && !a.trusted(addr) {
				return addr, true
			}
		}
	}
	return netip.Addr{}, false
}

// parseHop reads one address of X-Forwarded-For: an IP, IP:port, [v6] or
// [v6]:port. Zones and unspecified addresses are refused.
func parseHop(s string) (netip.Addr, error) {
	s = strings.TrimSpace(s)
	addr, err := netip.ParseAddr(s)
	if err != nil {
		if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
			addr, err = netip.ParseAddr(s[1 : len(s)-1])
		} else {
			var ap netip.AddrPort
			ap, err = netip.ParseAddrPort(s)
			addr = ap.Addr()
		}
	}
	if err != nil {
		return netip.Addr{}, err
	}
	if addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.Addr{}, errBadHop
	}
	return addr.Unmap(), nil
}

// fromBrowser reports whether headers that only browsers send are present.
func fromBrowser(h http.Header) bool {
	return len(h["Origin"]) > 0 || len(h["Sec-Fetch-Site"]) > 0 || len(h["Sec-Fetch-Mode"]) > 0
}
