package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is the 200 ms of the promise with room for a loaded machine.
const soon = time.Second

// TestRevocationIsImmediate ends a credential while its socket is open and its
// call runs.
func TestRevocationIsImmediate(t *testing.T) {
	needDocker(t)
	g := gatewayOn(t, "agents: {}\n")
	for _, verb := range []string{"revoke", "rotate"} {
		t.Run(verb, func(t *testing.T) {
			tok := g.mint("ci-"+verb, "default")
			if s, out := g.tool(tok, "exec", "", map[string]any{"command": "echo warm"}); s != 200 {
				t.Fatalf("before: %d %s", s, out)
			}
			sock := g.socket(tok)
			answered := make(chan string, 1)
			go func() {
				_, out := g.tool(tok, "exec", "", map[string]any{"command": "echo started-" + verb + " >> runs; sleep 8; echo secret-result"})
				answered <- out
			}()
			if !eventually(20*time.Second, func() bool {
				_, out := g.tool(g.token, "exec", "", map[string]any{"command": "cat runs"})
				return strings.Contains(out, "started-"+verb)
			}) {
				t.Fatal("the call never began")
			}
			closed := make(chan time.Time, 1)
			go func() {
				for {
					if _, _, err := sock.ws.Read(context.Background()); err != nil {
						closed <- time.Now()
						return
					}
				}
			}()
			args := []string{"token", verb, "ci-" + verb}
			if verb == "rotate" {
				args = append(args, "--json")
			}
			began := time.Now()
			out, err := g.chitin(args...)
			if err != nil {
				t.Fatalf("token %s: %v: %s", verb, err, out)
			}
			told := time.Now()
			select {
			case at := <-closed:
				if late := at.Sub(told); late > soon {
					t.Errorf("the socket was closed %v after the command", late)
				}
				t.Logf("socket closed %v after the command began", at.Sub(began))
			case <-time.After(5 * time.Second):
				t.Error("the socket stayed open")
			}
			select {
			case out := <-answered:
				if strings.Contains(out, "secret-result") {
					t.Errorf("the call's result reached a revoked caller: %s", out)
				}
			case <-time.After(5 * time.Second):
				t.Error("the call in flight was not ended")
			}
			if s, _ := g.tool(tok, "session_status", "", map[string]any{}); s != 401 {
				t.Errorf("the old token: status %d", s)
			}
			if verb == "rotate" {
				var made struct{ Token string }
				_ = json.Unmarshal([]byte(out), &made)
				if s, out := g.tool(made.Token, "session_status", "", map[string]any{}); s != 200 {
					t.Errorf("the new token: %d %s", s, out)
				}
			}
		})
	}
}

// TestReload changes the gateway's own token, then breaks the configuration.
func TestReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(tok string) {
		if err := os.WriteFile(file, []byte(tok+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(gatewayToken)
	conf := "gateway:\n  auth:\n    token: {source: file, provider: tok, id: value}\nsecrets:\n  providers:\n    tok: {source: file, mode: singleValue, path: " + file + "}\n"
	g := gatewayOn(t, conf)
	status := func(tok string) int {
		s, _ := g.tool(tok, "session_status", "", map[string]any{})
		return s
	}
	reload := func(says string) {
		t.Helper()
		n := strings.Count(g.out.String(), says)
		if err := g.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if !eventually(10*time.Second, func() bool { return strings.Count(g.out.String(), says) > n }) {
			t.Fatalf("the log never said %q: %s", says, g.out.String())
		}
	}
	sock := g.socket(gatewayToken)
	const next = "e2e-rotated-token-91c4f7a2b8d03e65"
	write(next)
	reload("configuration reloaded")
	if old, fresh := status(gatewayToken), status(next); old != 401 || fresh != 200 {
		t.Errorf("after the rotation: old %d, new %d", old, fresh)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		if _, _, err := sock.ws.Read(ctx); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		t.Error("the socket of the old token stayed open")
	}
	for _, broken := range []string{"gateway: [", "gateway: {prot: 1}\n", "gateway: {auth: {token: \"${NOT_SET_ANYWHERE}\"}}\n", conf + "tools: {policy: {allow: [42]}, exec: {mode: everything}}\n"} {
		g.configure(broken)
		reload("reload refused")
		if old, now := status(gatewayToken), status(next); old != 401 || now != 200 {
			t.Errorf("after the broken %q: old %d, current %d", broken, old, now)
		}
	}
	if out, err := g.chitin("journal", "tail", "--event", "config.refused", "--json"); err != nil || strings.Count(out, "config.refused") != 4 {
		t.Errorf("journal: %v: %s", err, out)
	}
	g.configure(conf)
	reload("configuration reloaded")
}
