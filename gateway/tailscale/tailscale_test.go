package tailscale_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/gateway/tailscale"
)

// daemon answers like tailscaled's LocalAPI, from recorded shapes.
type daemon struct {
	mu     sync.Mutex
	config map[string]any
	etag   int
	race   bool // somebody else changes the configuration once
	state  string
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Host != "local-tailscaled.sock" {
		http.Error(w, "bad host", http.StatusForbidden)
		return
	}
	switch r.URL.Path {
	case "/localapi/v0/status":
		_ = json.NewEncoder(w).Encode(map[string]any{"BackendState": d.state, "Self": map[string]any{"DNSName": "box.tail1234.ts.net.", "TailscaleIPs": []string{"100.64.0.5"}}})
	case "/localapi/v0/whois":
		switch r.URL.Query().Get("addr") {
		case "100.64.0.7:1":
			_, _ = io.WriteString(w, `{"Node":{"ID":7},"UserProfile":{"LoginName":"Bob@example.org"}}`)
		case "100.64.0.8:1":
			_, _ = io.WriteString(w, `{"Node":{"Tags":["tag:ci"]},"UserProfile":{"LoginName":"tagged-devices"}}`)
		default:
			http.Error(w, "no match for IP:port", http.StatusNotFound)
		}
	case "/localapi/v0/serve-config":
		d.serveConfig(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (d *daemon) serveConfig(w http.ResponseWriter, r *http.Request) {
	tag := string(rune('a' + d.etag))
	if r.Method == http.MethodGet {
		w.Header().Set("Etag", tag)
		_ = json.NewEncoder(w).Encode(d.config)
		return
	}
	if d.race {
		d.race = false
		d.etag++
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	if r.Header.Get("If-Match") != tag {
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	d.etag++
	d.config = nil
	_ = json.NewDecoder(r.Body).Decode(&d.config)
}

func start(t *testing.T, d *daemon) string {
	t.Helper()
	if d.state == "" {
		d.state = "Running"
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(d)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return path
}

func TestPublishAndWithdraw(t *testing.T) {
	d := &daemon{race: true, config: map[string]any{"Foreground": map[string]any{"x": 1}}}
	c := tailscale.NewClient(start(t, d))
	url, err := c.Publish(t.Context(), "funnel", 4711)
	if err != nil || url != "https://box.tail1234.ts.net/" {
		t.Fatalf("%q %v", url, err)
	}
	raw, err := json.Marshal(d.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"443":{"HTTPS":true}`, `"Proxy":"http://127.0.0.1:4711"`, `"AllowFunnel":{"box.tail1234.ts.net:443":true}`, `"Foreground":{"x":1}`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s is missing in %s", want, raw)
		}
	}
	if _, err := c.Publish(t.Context(), "serve", 4711); err != nil || len(d.config["AllowFunnel"].(map[string]any)) != 0 {
		t.Errorf("serve after funnel stays public: %v %v", d.config["AllowFunnel"], err)
	}
	if err := c.Withdraw(t.Context(), 4711); err != nil || len(d.config["Web"].(map[string]any)) != 0 {
		t.Errorf("withdraw: %v %v", d.config, err)
	}
}

func TestSomebodyElsesServiceIsLeftAlone(t *testing.T) {
	d := &daemon{config: map[string]any{
		"TCP": map[string]any{"443": map[string]any{"HTTPS": true}},
		"Web": map[string]any{"box.tail1234.ts.net:443": map[string]any{"Handlers": map[string]any{"/": map[string]any{"Proxy": "http://127.0.0.1:3000"}}}},
	}}
	c := tailscale.NewClient(start(t, d))
	if _, err := c.Publish(t.Context(), "serve", 4711); err == nil || !strings.Contains(err.Error(), "serve reset") {
		t.Errorf("%v", err)
	}
	if err := c.Withdraw(t.Context(), 4711); err != nil || len(d.config["Web"].(map[string]any)) != 1 {
		t.Errorf("somebody else's service was removed: %v", err)
	}
}

func TestWithoutTailscale(t *testing.T) {
	c := tailscale.NewClient(filepath.Join(t.TempDir(), "none"))
	if _, err := c.Publish(t.Context(), "serve", 1); !errors.Is(err, tailscale.ErrNotInstalled) {
		t.Errorf("%v", err)
	}
	stopped := tailscale.NewClient(start(t, &daemon{state: "NeedsLogin"}))
	if _, err := stopped.Publish(t.Context(), "serve", 1); err == nil || !strings.Contains(err.Error(), "tailscale up") {
		t.Errorf("%v", err)
	}
}

func TestOpen(t *testing.T) {
	d := &daemon{}
	l, url, stop, err := tailscale.Open(t.Context(), gateway.TailscaleConfig{Mode: "serve", Socket: start(t, d)})
	if err != nil || url != "https://box.tail1234.ts.net/" {
		t.Fatalf("%q %v", url, err)
	}
	defer func() { _ = l.Close() }()
	if !strings.Contains(fmt.Sprint(d.config), fmt.Sprint(l.Addr().(*net.TCPAddr).Port)) {
		t.Errorf("%v does not lead to %v", d.config, l.Addr())
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
	_, _, _, err = tailscale.Open(t.Context(), gateway.TailscaleConfig{Mode: "serve", Socket: "/nowhere"})
	var se *gateway.StartError
	if !errors.As(err, &se) || se.Hint == "" {
		t.Errorf("without Tailscale: %v", err)
	}
}

func TestWhoIs(t *testing.T) {
	c := tailscale.NewClient(start(t, &daemon{}))
	for addr, want := range map[string]string{"100.64.0.7": "Bob@example.org", "100.64.0.8": "", "100.64.0.9": ""} {
		login, ok, err := c.WhoIs(t.Context(), netip.MustParseAddr(addr))
		if err != nil || ok != (want != "") || ok && login != want {
			t.Errorf("%s: %q %v %v", addr, login, ok, err)
		}
	}
}

func TestIdentityOfPages(t *testing.T) {
	socket := start(t, &daemon{})
	g := guardtest.New(t, guardtest.Options{Config: gateway.Config{Tailscale: gateway.TailscaleConfig{Mode: "serve", Socket: socket}}})
	try := func(page, private bool, from string, header ...string) (gateway.Caller, *gateway.Refusal) {
		r := httptest.NewRequest(http.MethodGet, "http://box.tail1234.ts.net/", nil)
		r.RemoteAddr = "127.0.0.1:9"
		r.Header.Set("X-Forwarded-For", from)
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Host", "box.tail1234.ts.net")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		r = r.WithContext(guardtest.OnConn(r.Context(), gateway.Conn{Tailscale: private}))
		adm, ref := g.Admit(r, &gateway.Route{Path: "/", Page: page})
		return adm.Caller, ref
	}
	bob := []string{"Tailscale-User-Login", "bob@example.org"}
	if c, ref := try(true, true, "100.64.0.7", bob...); ref != nil || c.Principal() != "tailscale:bob@example.org" || c.Owner() {
		t.Fatalf("%v %v", c.Principal(), ref)
	}
	for name, f := range map[string]func() (gateway.Caller, *gateway.Refusal){
		"no page":         func() (gateway.Caller, *gateway.Refusal) { return try(false, true, "100.64.0.7", bob...) },
		"public listener": func() (gateway.Caller, *gateway.Refusal) { return try(true, false, "100.64.0.7", bob...) },
		"other user": func() (gateway.Caller, *gateway.Refusal) {
			return try(true, true, "100.64.0.7", "Tailscale-User-Login", "eve@example.org")
		},
		"tagged machine": func() (gateway.Caller, *gateway.Refusal) {
			return try(true, true, "100.64.0.8", "Tailscale-User-Login", "tagged-devices")
		},
		"unknown address": func() (gateway.Caller, *gateway.Refusal) { return try(true, true, "100.64.0.9", bob...) },
		"no header":       func() (gateway.Caller, *gateway.Refusal) { return try(true, true, "100.64.0.7") },
		"funnel": func() (gateway.Caller, *gateway.Refusal) {
			return try(true, true, "100.64.0.7", append(bob, "Tailscale-Funnel-Request", "?1")...)
		},
	} {
		if c, ref := f(); ref == nil {
			t.Errorf("%s: admitted as %s", name, c.Principal())
		}
	}
}
