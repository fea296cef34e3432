package mcpcmd

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/hub"
)

// hostile is a tool whose every text attacks a terminal.
func hostile(name string, state mcpclient.State, suspicious ...string) hub.ToolStatus {
	d := mcpclient.Definition{Name: name, Description: "Adds.\x1b[2J\u202e\u200b\nSecond line.", Input: json.RawMessage(`{"type":"object"}`)}
	digest, _ := d.Digest()
	return hub.ToolStatus{Server: "srv", Tool: name, Mounted: "srv__" + strings.ToLower(name), State: state, Suspicious: suspicious, Seen: mcpclient.Version{Digest: digest, Definition: d}}
}

// gateway answers for the commands and remembers what was changed.
func gateway(t *testing.T, tools []hub.ToolStatus) (*cliutil.Env, *bytes.Buffer, *[]string) {
	t.Helper()
	var changes []string
	next := time.Now().Add(time.Minute)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mcp-servers", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"servers": []hub.Status{{Server: "srv", Transport: "stdio", State: "down", Error: "ended\x1b[2J", Next: &next, Quarantined: 2}}})
	})
	mux.HandleFunc("GET /mcp-servers/srv/tools", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"tools": tools})
	})
	mux.HandleFunc("POST /mcp-servers/srv", func(w http.ResponseWriter, r *http.Request) {
		var c map[string]string
		_ = json.NewDecoder(r.Body).Decode(&c)
		if c["tool"] == "moved" {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"error":{"message":"look again"}}`))
			return
		}
		changes = append(changes, c["action"]+" "+c["tool"]+" "+c["digest"])
		_, _ = w.Write([]byte(`{"ok":true}`))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "chitin.yml"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	env := &cliutil.Env{Out: &out, Err: &out, State: dir, Getenv: func(k string) string {
		return map[string]string{"CHITIN_GATEWAY_TOKEN": "t0ken-for-the-test-123456", "CHITIN_GATEWAY_PORT": u.Port()}[k]
	}}
	return env, &out, &changes
}

func TestServersSayNothingToTheTerminal(t *testing.T) {
	bad := hostile("bad\x1b[2J", mcpclient.StateRefused)
	bad.Mounted, bad.Problem = "", "its name"
	tools := []hub.ToolStatus{hostile("add", mcpclient.StateNew), hostile("evil", mcpclient.StateNew, "override"), bad}
	for _, args := range [][]string{{"servers"}, {"tools"}, {"tools", "srv"}, {"tools", "--json"}, {"diff", "srv"}, {"diff", "srv", "add"}, {"diff", "srv", "bad\x1b[2J"}, {"diff", "srv", "none\x1b[2J"}} {
		env, out, _ := gateway(t, tools)
		cmd := New(env)
		cmd.SetArgs(args)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.ExecuteContext(t.Context())
		text := out.String()
		if err != nil {
			text += err.Error()
		}
		if strings.ContainsAny(text, "\x1b\u202e\u200b") && args[len(args)-1] != "--json" || strings.Contains(text, "\x1b") || text == "" {
			t.Errorf("%q prints %q", args, text)
		}
	}
}

func TestApprove(t *testing.T) {
	add, evil, done := hostile("add", mcpclient.StateNew), hostile("evil", mcpclient.StateChanged, "override"), hostile("done", mcpclient.StateApproved)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"all that look harmless": {[]string{"approve", "srv"}, 3, "approve add " + add.Seen.Digest},
		"one by the server's":    {[]string{"approve", "srv", "evil"}, 0, "approve evil " + evil.Seen.Digest},
		"one by our name":        {[]string{"approve", "srv", "srv__evil"}, 0, "approve evil " + evil.Seen.Digest},
		"nothing of that name":   {[]string{"approve", "srv", "none"}, 1, ""},
		"revoke":                 {[]string{"revoke", "srv", "done"}, 0, "revoke done "},
		"restart":                {[]string{"restart", "srv"}, 0, "restart  "},
		"no server":              {[]string{"approve"}, 1, ""},
	} {
		env, _, changes := gateway(t, []hub.ToolStatus{add, evil, done})
		cmd := New(env)
		cmd.SetArgs(c.args)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.ExecuteContext(t.Context())
		if got := strings.Join(*changes, ","); cliutil.Code(err) != c.code || got != c.want {
			t.Errorf("%s: %v, %q", name, err, got)
		}
	}
	env, _, _ := gateway(t, []hub.ToolStatus{hostile("moved", mcpclient.StateNew)})
	cmd := New(env)
	cmd.SetArgs([]string{"approve", "srv"})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "look again") {
		t.Errorf("a tool that changed meanwhile: %v", err)
	}
}
