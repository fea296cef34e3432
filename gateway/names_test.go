package gateway

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestHostName(t *testing.T) {
	for in, want := range map[string]string{
		"localhost": "localhost", "LOCALHOST:80": "localhost", "localhost.": "localhost", "127.0.0.1:18790": "127.0.0.1",
		"[::1]:80": "::1", "[::1]": "::1", "gw.example.org:443": "gw.example.org",
		"": "", "a b": "", "a@b": "", "a:b": "", "a:": "", "a:123456": "", "[::1": "", "[::1]x": "", "::1": "", "a/b": "", "..": "",
		"ex%61mple": "", "[127.0.0.1]": "", "a\x00b": "", "пример": "",
	} {
		got, ok := hostName(in)
		if ok != (want != "") || got != want {
			t.Errorf("%q: got %q %v, want %q", in, got, ok, want)
		}
	}
}

func compiled(c Config) *authority {
	a := &authority{cfg: c, beyondLoopback: c.beyondLoopback()}
	for _, p := range c.TrustedProxies {
		prefix, err := parsePrefix(p)
		if err != nil {
			panic(err)
		}
		a.proxies = append(a.proxies, prefix)
	}
	a.compileNames()
	return a
}

func TestAttribution(t *testing.T) {
	a := compiled(Config{TrustedProxies: []string{"10.0.0.1", "192.168.0.0/16", "127.0.0.1", "::ffff:172.16.0.0/108"}, AllowRealIPFallback: true})
	for _, tc := range []struct {
		name, peer string
		header     http.Header
		want       string // client, empty for a refusal
		local      bool
	}{
		{"direct local", "127.0.0.1:5", http.Header{}, "127.0.0.1", true},
		{"direct local v6", "[::1]:5", http.Header{}, "::1", true},
		{"direct remote", "203.0.113.9:5", http.Header{}, "203.0.113.9", false},
		{"proxy without headers", "10.0.0.1:5", http.Header{}, "", false},
		{"one hop", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "203.0.113.7", false},
		{"spoofed left part", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"127.0.0.1, 1.1.1.1, 203.0.113.7"}}, "203.0.113.7", false},
		{"through two proxies", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"203.0.113.7, 192.168.4.4"}}, "203.0.113.7", false},
		{"two header lines", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"1.1.1.1", "203.0.113.7"}}, "203.0.113.7", false},
		{"with port", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"203.0.113.7:4711"}}, "203.0.113.7", false},
		{"v6 with port", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"[2001:db8::7]:4711"}}, "2001:db8::7", false},
		{"mapped proxy range", "[::ffff:172.16.5.5]:5", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "203.0.113.7", false},
		{"only loopback hops", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"127.0.0.1"}}, "", false},
		{"only trusted hops", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"10.0.0.1"}}, "", false},
		{"unreadable hop", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"203.0.113.7, nonsense"}}, "", false},
		{"unknown", "10.0.0.1:5", http.Header{"X-Forwarded-For": {"unknown"}}, "", false},
		{"stranger forwards", "203.0.113.9:5", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "", false},
		{"stranger with real ip", "203.0.113.9:5", http.Header{"X-Real-Ip": {"203.0.113.7"}}, "", false},
		{"stranger with Forwarded", "203.0.113.9:5", http.Header{"Forwarded": {"for=1.2.3.4"}}, "", false},
		{"stranger with Tailscale", "203.0.113.9:5", http.Header{"Tailscale-User-Login": {"a@b"}}, "", false},
		{"stranger with odd X-Forwarded", "203.0.113.9:5", http.Header{"X-Forwarded-Anything": {""}}, "", false},
		{"real ip fallback", "10.0.0.1:5", http.Header{"X-Real-Ip": {"203.0.113.7"}}, "203.0.113.7", false},
		{"two real ips", "10.0.0.1:5", http.Header{"X-Real-Ip": {"203.0.113.7", "203.0.113.8"}}, "", false},
		{"local proxy", "127.0.0.1:5", http.Header{"X-Forwarded-For": {"203.0.113.7"}}, "203.0.113.7", false},
		{"no peer", "@", http.Header{}, "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, ok := a.attribute(&http.Request{RemoteAddr: tc.peer, Header: tc.header}, nil)
			if ok != (tc.want != "") || ok && (c.Addr.String() != tc.want || c.Local != tc.local) {
				t.Errorf("got %v local %v ok %v, want %q local %v", c.Addr, c.Local, ok, tc.want, tc.local)
			}
		})
	}
}

func TestRealIPNeedsItsSwitch(t *testing.T) {
	a := compiled(Config{TrustedProxies: []string{"10.0.0.1"}})
	if _, ok := a.attribute(&http.Request{RemoteAddr: "10.0.0.1:5", Header: http.Header{"X-Real-Ip": {"203.0.113.7"}}}, nil); ok {
		t.Fatal("X-Real-IP was believed without allowRealIpFallback")
	}
}

func TestOrigins(t *testing.T) {
	local, far := Client{Local: true, Browser: true}, Client{Browser: true}
	listed := compiled(Config{Bind: "lan", ControlUI: ControlUIConfig{AllowedOrigins: []string{"https://ui.example.org/", "http://Other.example:8080"}}})
	plain := compiled(Config{})
	fallback := compiled(Config{ControlUI: ControlUIConfig{HostHeaderFallback: true}})
	for _, tc := range []struct {
		name   string
		a      *authority
		origin string
		host   string
		client Client
		want   bool
	}{
		{"listed", listed, "https://ui.example.org", "gw", far, true},
		{"listed in other case", listed, "HTTPS://UI.example.org", "gw", far, true},
		{"listed with another port", listed, "https://ui.example.org:8443", "gw", far, false},
		{"listed by another scheme", listed, "http://ui.example.org", "gw", far, false},
		{"listed as prefix", listed, "https://ui.example.org.evil.example", "gw", far, false},
		{"foreign", plain, "https://evil.example", "localhost:18790", local, false},
		{"same name but public", plain, "https://evil.example", "evil.example", local, false},
		{"null", plain, "null", "localhost:18790", local, false},
		{"with path", plain, "http://localhost:18790/x", "localhost:18790", local, false},
		{"with user", plain, "http://a@localhost:18790", "localhost:18790", local, false},
		{"with fragment", plain, "http://localhost:18790#", "localhost:18790", local, false},
		{"other scheme", plain, "file://localhost", "localhost", local, false},
		{"own page", plain, "http://localhost:18790", "localhost:18790", local, true},
		{"own page by the other loopback name", plain, "http://127.0.0.1:18790", "localhost:18790", local, true},
		{"another local site", plain, "http://localhost:3000", "localhost:18790", local, false},
		{"loopback page seen from afar", plain, "http://localhost:18790", "localhost:18790", far, false},
		{"private address, same", plain, "http://192.168.1.5:18790", "192.168.1.5:18790", far, true},
		{"private address, other", plain, "http://192.168.1.6:18790", "192.168.1.5:18790", far, false},
		{"mDNS name", plain, "http://box.local:18790", "box.local:18790", far, true},
		{"fallback", fallback, "https://any.example", "any.example", far, true},
		{"fallback, other", fallback, "https://evil.example", "any.example", far, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &http.Request{Method: "POST", Host: tc.host, Header: http.Header{"Origin": {tc.origin}}}
			if got := tc.a.checkBrowser(r, tc.client, &Route{}); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestFetchMetadata(t *testing.T) {
	a := compiled(Config{})
	c := Client{Local: true, Browser: true}
	for _, tc := range []struct {
		name, method, site, mode, origin string
		page, want                       bool
	}{
		{"no-cors from elsewhere", "POST", "cross-site", "no-cors", "", false, false},
		{"no-cors with an allowed origin", "POST", "same-site", "no-cors", "http://localhost:18790", false, false},
		{"image on the own page", "GET", "same-origin", "no-cors", "", true, true},
		{"link to a page", "GET", "cross-site", "navigate", "", true, true},
		{"form to a page", "POST", "cross-site", "navigate", "", true, false},
		{"link to an API", "GET", "cross-site", "navigate", "", false, false},
		{"typed address", "GET", "none", "navigate", "", false, true},
		{"own script", "POST", "same-origin", "cors", "http://localhost:18790", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{"Sec-Fetch-Site": {tc.site}, "Sec-Fetch-Mode": {tc.mode}}
			if tc.origin != "" {
				h.Set("Origin", tc.origin)
			}
			r := &http.Request{Method: tc.method, Host: "localhost:18790", Header: h}
			if got := a.checkBrowser(r, c, &Route{Page: tc.page}); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHosts(t *testing.T) {
	loop := compiled(Config{AllowedHosts: []string{"Gw.Example.org"}})
	lan := compiled(Config{Bind: "lan"})
	open := compiled(Config{ControlUI: ControlUIConfig{HostHeaderFallback: true}})
	for _, tc := range []struct {
		a    *authority
		host string
		want bool
	}{
		{loop, "localhost:18790", true}, {loop, "127.0.0.1:18790", true}, {loop, "[::1]:18790", true}, {loop, "gw.example.org", true},
		{loop, "evil.example", false}, {loop, "192.168.1.5:18790", false}, {loop, "", false}, {loop, "localhost.evil.example", false},
		{loop, "127.0.0.1.nip.example", false}, {lan, "192.168.1.5:18790", true}, {lan, "evil.example", false}, {open, "evil.example", true},
	} {
		if got := tc.a.checkHost(&http.Request{Host: tc.host, RemoteAddr: "127.0.0.1:1"}, nil); got != tc.want {
			t.Errorf("%q: %v", tc.host, got)
		}
	}
}

func TestCredentialInQuery(t *testing.T) {
	for q, want := range map[string]bool{
		"": false, "limit=5": false, "token=x": true, "a=b&access_token=x": true, "To%6ben=x": true, "PASSWORD": true,
		"api-key=1": true, "tokens=3": false, "q=token": false, "a=1;token=x": true,
	} {
		if got := credentialInQuery(q); got != want {
			t.Errorf("%q: %v", q, got)
		}
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "127.0.0.1, 10.0.0.1", "[::1]:80,,", "unknown", "1.1.1.1,203.0.113.7", "fe80::1%eth0"} {
		f.Add(s)
	}
	a := compiled(Config{TrustedProxies: []string{"10.0.0.0/8"}})
	f.Fuzz(func(t *testing.T, xff string) {
		c, ok := a.attribute(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {xff}}}, nil)
		if !ok {
			return
		}
		if c.Local || !c.Proxied || c.Addr.IsLoopback() || a.trusted(c.Addr) || c.Addr.Zone() != "" || c.Addr.Is4In6() {
			t.Fatalf("%q gave %+v", xff, c)
		}
		// What stands further left must not matter.
		d, ok := a.attribute(&http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {"203.0.113.99", xff}}}, nil)
		if !ok || d.Addr != c.Addr {
			t.Fatalf("%q: a client changed its address to %v by adding a hop", xff, d.Addr)
		}
	})
}

func FuzzHostAndOrigin(f *testing.F) {
	for _, s := range []string{"localhost:80", "[::1]:1", "evil.example", "localhost@evil.example", "http://localhost", "https://a.b:1/"} {
		f.Add(s)
	}
	a := compiled(Config{})
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := hostName(s); ok {
			u, err := url.Parse("http://" + s)
			if err != nil {
				t.Fatalf("%q is accepted as %q and no URL has such a host: %v", s, name, err)
			}
			// A browser that was given this text must mean the same host.
			if got := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")); got != name && !sameAddr(got, name) {
				t.Fatalf("%q: we see %q, a URL parser sees %q", s, name, got)
			}
		}
		r := &http.Request{Method: "POST", Host: "localhost:18790", Header: http.Header{"Origin": {s}}}
		if a.checkBrowser(r, Client{Local: true, Browser: true}, &Route{}) {
			u, err := url.Parse(s)
			if err != nil || !loopbackName(strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))) || u.Path != "" || u.User != nil {
				t.Fatalf("origin %q is accepted", s)
			}
		}
	})
}

func sameAddr(a, b string) bool {
	x, err1 := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	return err1 == nil && err2 == nil && x.WithZone("") == y
}
