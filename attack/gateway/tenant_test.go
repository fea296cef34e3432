package gateway_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/gateway"
)

// attempt is one try of a caller of tenant other to touch what is default's.
// It returns what the attacker sees when aiming at id.
type attempt struct {
	name string
	aim  func(id string) string
}

// TestTenantsCannotSeeEachOther makes more than forty attempts across tenants.
// Each is made at a thing that the other tenant has and at one that nobody
// has: the answers must be the same, so not even existence shows.
func TestTenantsCannotSeeEachOther(t *testing.T) {
	d := newDoor(t, modeToken())
	alice := d.named(tokenOf("alice", "default", gateway.AllScopes))
	mallory := d.named(tokenOf("mallory", "other", gateway.AllScopes))
	addr := d.listen()
	ws, _, err := d.socket(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := rpc(ws, "connect", connectParams(map[string]any{"token": mallory})); err != nil || m["ok"] != true {
		t.Fatalf("connect: %v %v", m, err)
	}
	if w := d.do(req("GET", "/sessions/default:thing/history", "", auth(alice)...)); w.Code != 200 || !strings.Contains(w.Body.String(), "secret of default") {
		t.Fatalf("the owner cannot see her own session: %d %s", w.Code, w.Body.String())
	}
	attempts := append(httpAttempts(d, mallory), socketAttempts(ws)...)
	if len(attempts) < 40 {
		t.Fatalf("only %d attempts", len(attempts))
	}
	for _, a := range attempts {
		theirs, nobodys := a.aim("default:thing"), a.aim("default:thung")
		if strings.Contains(theirs, "secret of default") {
			t.Errorf("%s: sees %s", a.name, theirs)
		}
		if got, want := strings.ReplaceAll(theirs, "thing", "thung"), nobodys; got != want {
			t.Errorf("%s tells existence:\n%s\n%s", a.name, got, want)
		}
	}
	if n := len(attempts); n >= 40 {
		t.Logf("%d attempts", n)
	}
}

func httpAttempts(d *door, secret string) []attempt {
	var out []attempt
	spell := map[string]func(string) string{
		"plain":             func(s string) string { return s },
		"encoded":           func(s string) string { return strings.ReplaceAll(s, ":", "%3A") },
		"encoded lower":     func(s string) string { return strings.ReplaceAll(s, ":", "%3a") },
		"encoded letters":   func(s string) string { return strings.Replace(s, "d", "%64", 1) },
		"twice encoded":     func(s string) string { return strings.ReplaceAll(s, ":", "%253A") },
		"other case":        strings.ToUpper,
		"with space":        func(s string) string { return s + "%20" },
		"with tenant":       func(s string) string { return "other%2f" + s },
		"through own":       func(s string) string { return "other:thing%2f..%2f" + s },
		"with null":         func(s string) string { return s + "%00" },
		"with parameter":    func(s string) string { return s + ";tenant=default" },
		"with full-width :": func(s string) string { return strings.ReplaceAll(s, ":", "%EF%BC%9A") },
	}
	verbs := map[string][2]string{"history": {"GET", "history"}, "kill": {"POST", "kill"}}
	for how, f := range spell {
		for verb, v := range verbs {
			out = append(out, attempt{verb + " " + how, func(id string) string {
				w := d.do(req(v[0], "/sessions/"+f(id)+"/"+v[1], "", auth(secret)...))
				return fmt.Sprint(w.Code, w.Body.String())
			}})
		}
	}
	for _, h := range [][2]string{
		{"X-Tenant", "default"}, {"X-Chitin-Tenant", "default"}, {"X-OpenClaw-Agent-Id", "default"}, {"X-Forwarded-User", "alice"},
		{"X-User", "alice"}, {"Cookie", "tenant=default"}, {"X-OpenClaw-Session-Key", "default:thing"},
	} {
		out = append(out, attempt{"history with " + h[0], func(id string) string {
			w := d.do(req("GET", "/sessions/"+id+"/history", "", append(auth(secret), h[0], h[1])...))
			return fmt.Sprint(w.Code, w.Body.String())
		}})
	}
	out = append(out, attempt{"history with query", func(id string) string {
		w := d.do(req("GET", "/sessions/"+id+"/history?tenant=default&limit=1000", "", auth(secret)...))
		return fmt.Sprint(w.Code, w.Body.String())
	}})
	return out
}

func socketAttempts(ws *websocket.Conn) []attempt {
	var out []attempt
	call := func(method string, params func(id string) map[string]any) attempt {
		return attempt{method, func(id string) string {
			m, err := rpc(ws, method, params(id))
			if err != nil {
				return err.Error()
			}
			delete(m, "id")
			raw, err := json.Marshal(m)
			if err != nil {
				return err.Error()
			}
			return string(raw)
		}}
	}
	one := func(key string, more ...any) func(string) map[string]any {
		return func(id string) map[string]any {
			m := map[string]any{key: id}
			for i := 0; i+1 < len(more); i += 2 {
				m[more[i].(string)] = more[i+1]
			}
			return m
		}
	}
	out = append(out,
		call("sessions.history", one("sessionKey")), call("sessions.history", one("sessionKey", "limit", 1000)),
		call("sessions.history", one("sessionKey", "tenant", "default")), call("sessions.kill", one("sessionKey")),
		call("sessions.kill", one("sessionKey", "tenant", "default")), call("approvals.resolve", one("id", "decision", "approve")),
		call("approvals.resolve", one("id", "decision", "deny")), call("approvals.resolve", one("id", "decision", "approve", "note", "x")),
		call("sandboxes.recreate", one("id")), call("sandboxes.recreate", one("id", "tenant", "default")),
	)
	none := func(string) map[string]any { return nil }
	for _, m := range []string{"sessions.list", "approvals.list", "sandboxes.list", "journal.tail"} {
		list := call(m, none)
		out = append(out, attempt{m, func(id string) string {
			if s := list.aim(id); strings.Contains(s, "default:thing") {
				return "secret of default: " + s
			}
			return ""
		}})
	}
	return out
}
