package gateway

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

var errBadHop = errors.New("not the address of a hop")

// checkHost is the defence against DNS rebinding: a browser that was led here
// by a hostile name still sends that name as Host.
func (a *authority) checkHost(r *http.Request, conn *Conn) bool {
	if a.cfg.ControlUI.HostHeaderFallback {
		return r.Host != ""
	}
	host, ok := hostName(r.Host)
	if !ok {
		return false
	}
	if a.hosts[host] {
		return true
	}
	if strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return conn != nil && conn.Tailscale && strings.HasSuffix(host, ".ts.net")
	}
	addr = addr.Unmap().WithZone("")
	return addr.IsLoopback() || a.beyondLoopback || a.trustedPeer(r)
}

// trustedPeer reports whether a configured proxy is at the other end: the
// proxy may address the gateway by any of its numbers.
func (a *authority) trustedPeer(r *http.Request) bool {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && a.trusted(ap.Addr())
}

// hostName is the lower-cased host of a Host header without port, brackets and
// trailing dot. ok is false for anything that is not a plain host[:port].
func hostName(s string) (string, bool) {
	if s == "" || len(s) > 255 {
		return "", false
	}
	host := s
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || !validPortSuffix(s[end+1:]) {
			return "", false
		}
		host = s[1:end]
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() {
			return "", false
		}
		return addr.WithZone("").String(), true
	}
	if i := strings.IndexByte(s, ':'); i >= 0 {
		if !validPortSuffix(s[i:]) {
			return "", false
		}
		host = s[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if host == "" || strings.HasSuffix(host, ".") {
		return "", false
	}
	lower := false
	for i := 0; i < len(host); i++ {
		switch b := host[i]; {
		case b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '-' || b == '.' || b == '_':
		case b >= 'A' && b <= 'Z':
			lower = true
		default:
			return "", false
		}
	}
	if lower {
		host = strings.ToLower(host)
	}
	return host, true
}

func validPortSuffix(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > 6 || len(s) == 1 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// origin is a parsed Origin header.
type origin struct {
	text string // scheme://host[:port], lower case
	host string // host without port
	hp   string // host[:port]
}

func parseOrigin(s string) (origin, bool) {
	if s == "" || s == "null" || len(s) > 512 {
		return origin{}, false
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#") {
		return origin{}, false
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return origin{}, false
	}
	host, ok := hostName(u.Host)
	if !ok {
		return origin{}, false
	}
	hp := strings.ToLower(u.Host)
	return origin{text: scheme + "://" + hp, host: host, hp: hp}, true
}

// checkBrowser refuses what a page of somebody else's site can make a browser
// send: in order no-cors requests, a null or malformed Origin, a foreign one.
func (a *authority) checkBrowser(r *http.Request, c Client, route *Route) bool {
	if !c.Browser {
		return true
	}
	h := r.Header
	site, mode := first(h, "Sec-Fetch-Site"), first(h, "Sec-Fetch-Mode")
	foreign := site == "cross-site" || site == "same-site"
	if mode == "no-cors" && site != "same-origin" && site != "none" {
		return false
	}
	origins := h["Origin"]
	if len(origins) == 0 {
		// A link or a form leads here from elsewhere: only to pages.
		return !foreign || route.Page && mode == "navigate" && r.Method == http.MethodGet
	}
	if len(origins) > 1 {
		return false
	}
	o, ok := parseOrigin(origins[0])
	return ok && a.originAllowed(o, r.Host, c)
}

func (a *authority) originAllowed(o origin, hostHeader string, c Client) bool {
	if a.anyOrigin || a.origins[o.text] {
		return true
	}
	same := strings.EqualFold(o.hp, hostHeader)
	if same && a.cfg.ControlUI.HostHeaderFallback {
		return true
	}
	loop := loopbackName(o.host)
	if same && (loop && c.Local || privateName(o.host)) {
		return true
	}
	return loop && c.Local && o.port() == hostPort(hostHeader)
}

func (o origin) port() string { return hostPort(o.hp) }

func hostPort(hp string) string {
	if _, port, err := net.SplitHostPort(hp); err == nil {
		return port
	}
	return ""
}

func loopbackName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

var cgnat = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)

func privateName(host string) bool {
	if strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".ts.net") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	return addr.IsPrivate() || addr.IsLinkLocalUnicast() || cgnat.Contains(addr)
}

func first(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// credentialInQuery reports whether a query string carries something that
// looks like a credential. Query strings end up in logs and histories, so such
// a request is refused even when the credential is right.
func credentialInQuery(raw string) bool {
	if raw == "" {
		return false
	}
	for part := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '&' || r == ';' }) {
		key, _, _ := strings.Cut(part, "=")
		if k, err := url.QueryUnescape(key); err == nil {
			key = k
		}
		switch strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(strings.TrimSpace(key))) {
		case "token", "password", "accesstoken", "authtoken", "apikey", "auth", "authorization", "secret", "bearer", "gatewaytoken", "hooktoken":
			return true
		}
	}
	return false
}
