package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/server/wsapi"
)

func tokenOf(name, tenant string, s gateway.Scope) token.New {
	return token.New{Name: name, Tenant: tenant, Scopes: s}
}

func reload(d *door, next string) {
	if err := d.guard.Reload(gateway.Config{}, secrets.NewValue(next), secrets.Value{}); err != nil {
		d.t.Fatal(err)
	}
}

const nextToken = "next-0123456789abcdefghijklmnop"

func classB() []row {
	return []row{
		{
			id: "B1", advisory: "GHSA-68x5-xx89-w9mm", what: "the old token survives a reload",
			off: []guardtest.Defence{guardtest.Compare},
			try: func(d *door) bool { reload(d, nextToken); return invoked(d, auth(guardtest.Token)...) },
		},
		{
			id: "B2", advisory: "GHSA-xmxx-7p24-h892", what: "HTTP keeps a bearer resolved before rotation",
			off: []guardtest.Defence{guardtest.Compare},
			try: func(d *door) bool {
				if !invoked(d, auth(guardtest.Token)...) {
					d.t.Fatal("the token must work before")
				}
				reload(d, nextToken)
				return invoked(d, auth(guardtest.Token)...)
			},
		},
		{
			id: "B3", advisory: "GHSA-5h3f-885m-v22w", what: "a WebSocket survives rotation of the shared token",
			off: []guardtest.Defence{guardtest.Epoch},
			try: func(d *door) bool {
				ws := connected(d, guardtest.Token)
				reload(d, nextToken)
				return stillWorks(ws)
			},
		},
		{
			id: "B4", advisory: "GHSA-wwc3-c577-533m", what: "a WebSocket survives rotation of a named token",
			off: []guardtest.Defence{guardtest.Epoch},
			try: func(d *door) bool {
				ws := connected(d, d.named(tokenOf("n", "default", gateway.ScopeWrite)))
				if _, _, err := d.tokens.Rotate(context.Background(), "n", time.Time{}); err != nil {
					d.t.Fatal(err)
				}
				time.Sleep(200 * time.Millisecond)
				return stillWorks(ws)
			},
		},
		{
			id: "B5", advisory: "CVE-2026-53843", what: "a revoked token is used again",
			off: []guardtest.Defence{guardtest.Compare},
			try: func(d *door) bool {
				secret := d.named(tokenOf("n", "default", gateway.ScopeWrite))
				if err := d.tokens.Revoke(context.Background(), "n"); err != nil {
					d.t.Fatal(err)
				}
				time.Sleep(200 * time.Millisecond)
				return invoked(d, auth(secret)...)
			},
		},
		{
			id: "B6", advisory: "GHSA-q8ff-7ffm-m3r9", what: "a webhook's old secret stays valid",
			off: []guardtest.Defence{guardtest.Compare},
			try: func(d *door) bool {
				d.hooks = secrets.NewValue("another-hook-secret-0123456789")
				return hook(d, hookToken) == http.StatusOK
			},
		},
		{
			id: "B8", advisory: "CVE-2026-43535", what: "calls run under the last sender's authority",
			why: "the caller travels in the request, nothing keeps a current one", try: mixedSenders,
		},
		{
			id: "B10", advisory: "expired credential", what: "an expired token is used",
			off: []guardtest.Defence{guardtest.Expiry},
			try: func(d *door) bool {
				n := tokenOf("brief", "default", gateway.ScopeWrite)
				n.Expires = time.Now().Add(50 * time.Millisecond)
				secret := d.named(n)
				time.Sleep(150 * time.Millisecond)
				return invoked(d, auth(secret)...)
			},
		},
	}
}

func connected(d *door, secret string) *websocket.Conn {
	ws, _, err := d.socket(d.listen(), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if m, err := rpc(ws, "connect", connectParams(map[string]any{"token": secret})); err != nil || m["ok"] != true {
		d.t.Fatalf("connect: %v %v", m, err)
	}
	return ws
}

// stillWorks waits 200 ms, which is what revocation may take.
func stillWorks(ws *websocket.Conn) bool {
	time.Sleep(200 * time.Millisecond)
	m, err := rpc(ws, "tools.invoke", map[string]any{"name": "x"})
	return err == nil && m["ok"] == true
}

func mixedSenders(d *door) bool {
	a, b := d.named(tokenOf("a", "ta", gateway.ScopeWrite)), d.named(tokenOf("b", "tb", gateway.ScopeWrite))
	var wg sync.WaitGroup
	var mu sync.Mutex
	mixed := false
	for i := range 200 {
		wg.Go(func() {
			secret, want := a, "ran for token:a"
			if i%2 == 0 {
				secret, want = b, "ran for token:b"
			}
			if body := d.do(req("POST", "/tools/invoke", `{"tool":"x"}`, auth(secret)...)).Body.String(); !strings.Contains(body, want) {
				mu.Lock()
				mixed = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return mixed
}

func classC() []row {
	reader := func(d *door) string { return d.named(tokenOf("reader", "default", gateway.ScopeRead)) }
	return []row{
		{
			id: "C1", advisory: "GHSA-rqpp-rjj8-7wv8", what: "a client declares its own scopes",
			off: []guardtest.Defence{guardtest.Scope},
			try: func(d *door) bool {
				return invoked(d, append(auth(reader(d)), "X-OpenClaw-Scopes", "operator.admin", "X-Chitin-Scopes", "operator.admin,operator.write")...)
			},
		},
		{
			id: "C1b", advisory: "GHSA-rqpp-rjj8-7wv8", what: "a client declares its own scopes in connect",
			why: "declared scopes can only be met with the server's",
			try: func(d *door) bool {
				ws, _, err := d.socket(d.listen(), nil)
				if err != nil {
					d.t.Fatal(err)
				}
				p := connectParams(map[string]any{"token": reader(d)})
				p["scopes"] = []string{"operator.admin", "operator.write"}
				if m, err := rpc(ws, "connect", p); err != nil || strings.Contains(fmt.Sprint(m["payload"].(map[string]any)["auth"]), "admin") {
					return true
				}
				m, err := rpc(ws, "tools.invoke", map[string]any{"name": "x"})
				return err != nil || m["ok"] == true
			},
		},
		{
			id: "C2", advisory: "CVE-2026-28466", what: "internal fields are accepted from outside",
			why: "HTTP reads named fields only, WebSocket refuses unknown ones", try: internalFields,
		},
		{
			id: "C5", advisory: "CVE-2026-42426", what: "a method sits in the wrong scope class",
			why: "methods.golden is reviewed; here: nothing that changes things is open to readers",
			try: func(*door) bool {
				for _, m := range wsapi.Methods() {
					changes := strings.HasSuffix(m.Name, "kill") || strings.HasSuffix(m.Name, "recreate") || strings.HasSuffix(m.Name, "invoke") || strings.HasSuffix(m.Name, "resolve")
					if changes && m.Scope == gateway.ScopeRead || m.Scope == 0 {
						return true
					}
				}
				return false
			},
		},
		{
			id: "C7", advisory: "GHSA-4jpw-hj22-2xmc", what: "rotating a token widens it",
			why: "Rotate takes no scopes, tenant or ownership",
			try: func(d *door) bool {
				reader(d)
				_, next, err := d.tokens.Rotate(context.Background(), "reader", time.Time{})
				if err != nil {
					d.t.Fatal(err)
				}
				time.Sleep(150 * time.Millisecond)
				return invoked(d, auth(next)...)
			},
		},
		{
			id: "C14", advisory: "CVE-2026-41908", what: "one route forgets its scope",
			off: []guardtest.Defence{guardtest.Scope},
			try: func(d *door) bool {
				secret := d.named(tokenOf("nothing", "default", 0))
				for _, r := range httpapi.Routes() {
					if r.Auth != gateway.AuthRequired {
						continue
					}
					if c := d.do(req(r.Methods[0], strings.ReplaceAll(r.Path, "{key}", "default:thing"), `{"tool":"x"}`, auth(secret)...)).Code; c != http.StatusForbidden {
						return true
					}
				}
				return false
			},
		},
		{
			id: "C16", advisory: "GHSA-5hff-46vh-rxmw", what: "a reader kills sessions",
			off: []guardtest.Defence{guardtest.Scope},
			try: func(d *door) bool {
				return d.do(req("POST", "/sessions/default:thing/kill", "", auth(reader(d))...)).Code == http.StatusOK
			},
		},
		{
			id: "C17", advisory: "CVE-2026-44118", what: "a header makes the caller owner",
			why: "ownership comes from the credential's record",
			try: func(d *door) bool {
				secret := d.named(tokenOf("w", "default", gateway.ScopeWrite))
				invoked(d, append(auth(secret), "X-Owner", "true", "X-OpenClaw-Owner", "true", "X-Chitin-Owner", "1", "X-Sender-Is-Owner", "true")...)
				return strings.HasSuffix(fmt.Sprint(d.last.Load()), "true")
			},
		},
		{
			id: "C21", advisory: "CVE-2026-53852", what: "an empty set of scopes means all",
			off: []guardtest.Defence{guardtest.Scope},
			try: func(d *door) bool { return invoked(d, auth(d.named(tokenOf("none", "default", 0)))...) },
		},
		{
			id: "C21b", advisory: "CVE-2026-53852", what: "an empty scopes header means all",
			options: modeNone(), off: []guardtest.Defence{guardtest.Narrowing},
			try: func(d *door) bool { return invoked(d, "X-OpenClaw-Scopes", "") },
		},
	}
}

func internalFields(d *door) bool {
	secret := d.named(tokenOf("w", "default", gateway.ScopeWrite))
	body := `{"tool":"x","caller":{"kind":"token","id":"main"},"owner":true,"tenant":"other","surface":"cli","scopes":["operator.admin"],"approved":true,"grant":true,"host":true,"remote":"127.0.0.1"}`
	d.do(req("POST", "/tools/invoke", body, auth(secret)...))
	if fmt.Sprint(d.last.Load()) != "token:w@defaultfalse" {
		return true
	}
	ws := connected(d, secret)
	for _, f := range []string{"caller", "owner", "tenant", "surface", "scopes", "approved", "grant", "host", "remote", "approvalId", "elevated"} {
		if m, err := rpc(ws, "tools.invoke", map[string]any{"name": "x", f: true}); err != nil || m["ok"] == true {
			return true
		}
	}
	return false
}
