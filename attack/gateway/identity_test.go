package gateway_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
)

// identityRows are attacks on identities that the connection or a proxy
// proves.
func identityRows() []row {
	return []row{
		{
			id: "C20", advisory: "CVE-2026-43574", what: "an empty list of proxy users means everybody",
			options: proxied(func(c *gateway.Config) { c.Auth.TrustedProxy.AllowUsers = []string{} }),
			off:     []guardtest.Defence{guardtest.AllowUsers},
			try:     func(d *door) bool { return invoked(d, throughProxy()...) },
		},
		{
			id: "L1", advisory: "GHSA-7w4v-g4m6-j88v", what: "a user's name in other case passes the list",
			options: proxied(func(c *gateway.Config) { c.Auth.TrustedProxy.AllowUsers = []string{"BOB@example.org"} }),
			off:     []guardtest.Defence{guardtest.AllowUsers},
			try:     func(d *door) bool { return invoked(d, throughProxy()...) },
		},
		{
			id: "L2", advisory: "CVE-2026-28465", what: "a stranger sends the proxy's headers",
			options: proxied(nil), off: []guardtest.Defence{guardtest.Attribution},
			why: "",
			try: func(d *door) bool {
				return d.code("Peer", "203.0.113.9:1", "X-Forwarded-For", "203.0.113.7", "X-User", "bob@example.org") != http.StatusForbidden
			},
		},
		{
			id: "L3", advisory: "CVE-2026-26316", what: "a local process poses as the proxy on loopback",
			options: proxied(func(c *gateway.Config) { c.TrustedProxies = []string{"127.0.0.1"} }),
			off:     []guardtest.Defence{guardtest.Loopback},
			try:     func(d *door) bool { return invoked(d, throughProxy("Peer", "127.0.0.1:999")...) },
		},
		{
			id: "L4", advisory: "spoofed proxy address", what: "a local process poses as the proxy from the machine's own address",
			options: proxied(func(c *gateway.Config) { c.TrustedProxies = []string{ownAddress()} }),
			off:     []guardtest.Defence{guardtest.OwnAddress},
			try: func(d *door) bool {
				return invoked(d, throughProxy("Peer", net.JoinHostPort(ownAddress(), "999"))...)
			},
		},
		{
			id: "L5", advisory: "missing required header", what: "a request that the proxy did not complete is believed",
			options: proxied(func(c *gateway.Config) { c.Auth.TrustedProxy.RequiredHeaders = []string{"X-Proxy-Proof"} }),
			off:     []guardtest.Defence{guardtest.RequiredHeaders},
			try:     func(d *door) bool { return invoked(d, throughProxy("X-Proxy-Proof", " ")...) },
		},
		{
			id: "L6", advisory: "two users named", what: "a second user header overrides the proxy's",
			options: proxied(nil), why: "a header that comes twice names nobody",
			try: func(d *door) bool { return invoked(d, throughProxy("X-User", "root@example.org")...) },
		},
		{
			id: "L7", advisory: "foreign uid", what: "another local user uses the Unix socket",
			options: guardtest.Options{Config: gateway.Config{Auth: gateway.AuthConfig{Mode: gateway.ModeUnix}}},
			off:     []guardtest.Defence{guardtest.AllowUsers},
			try: func(d *door) bool {
				d.conn = &gateway.Conn{Unix: true, Known: true, UID: uint32(os.Getuid()) + 4321}
				return invoked(d, "Peer", "@")
			},
		},
		{
			id: "L8", advisory: "credential in the URL", what: "a token in the query string is accepted",
			options: modeNone(), off: []guardtest.Defence{guardtest.Query},
			try: func(d *door) bool {
				return d.do(req("POST", "/tools/invoke?access_token=x", `{"tool":"x"}`)).Code == http.StatusOK
			},
		},
	}
}

// ownAddress is an address of this machine that is not loopback, or a
// documentation address when there is none.
func ownAddress() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	return "192.0.2.1"
}

// tailnetSocket is a recorded LocalAPI that knows bob at 100.64.0.7.
var tailnetSocket = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "tailnet")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // test
			if r.URL.Query().Get("addr") != "100.64.0.7:1" {
				http.NotFound(w, r)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"Node": map[string]any{}, "UserProfile": map[string]any{"LoginName": "bob@example.org"}})
		}))
	}()
	return path
})
