package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/agent/agenttest"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/session"
)

const hookConf = "hooks: {enabled: true, token: \"${HOOK_TOKEN}\"}\n"

// hook starts a turn by webhook and returns its run.
func (a *App) hook(t *testing.T, body string) (code int, run string) {
	t.Helper()
	srv := httptest.NewServer(a.handler(a.live.Load().loaded))
	defer srv.Close()
	req, err := http.NewRequest(http.MethodPost, srv.URL+"/hooks/agent", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer hook-token-0123456789abcdef0123")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct{ RunID string }
	_ = json.NewDecoder(resp.Body).Decode(&out)
	return resp.StatusCode, out.RunID
}

const hookSession = "agent:main:hook:default"

func TestHookTurnIsARun(t *testing.T) {
	a := testApp(t, "anthropic", agenttest.New(t, agenttest.Reply{Text: "noted"}), hookConf)
	code, id := a.hook(t, `{"message":"hello"}`)
	if code != http.StatusOK || id == "" {
		t.Fatalf("hook: %d, run %q", code, id)
	}
	if err := a.runs.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := a.sessions.Run(t.Context(), gateway.DefaultTenant, hookSession, id)
	if err != nil || r.State != session.RunDone || r.Outcome != "noted" || r.Label != "hook" {
		t.Errorf("run = %+v, %v", r, err)
	}
	if code, _ := a.hook(t, `{"message":"late"}`); code != http.StatusInternalServerError {
		t.Errorf("a turn began after the end: %d", code)
	}
}

// A turn that is under way when the gateway stops is cancelled, awaited and on
// record.
func TestStopEndsHookTurns(t *testing.T) {
	model := agenttest.New(t, agenttest.Reply{Hold: make(chan struct{})})
	a := testApp(t, "anthropic", model, hookConf)
	_, id := a.hook(t, `{"message":"hello"}`)
	for range 500 {
		if model.Request(0) != "" {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	a.runs.grace = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	db, err := store.Open(t.Context(), a.opts.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	r, err := session.NewStore(db).Run(t.Context(), gateway.DefaultTenant, hookSession, id)
	if err != nil || r.State != session.RunCancelled || r.Ended.IsZero() {
		t.Errorf("run = %+v, %v", r, err)
	}
}

func pause() { time.Sleep(10 * time.Millisecond) }

func keyOf(agent string) session.Key { return session.Key{Agent: agent, Name: session.DefaultName} }
