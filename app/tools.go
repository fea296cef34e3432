package app

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/version"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/hostbox"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	toolall "github.com/chitin-sh/chitin/tool/all"
	"github.com/chitin-sh/chitin/tool/exec"
	"github.com/chitin-sh/chitin/tool/procs"
	"github.com/chitin-sh/chitin/tool/sessionstatus"
)

func (a *App) toolList() []tool.Tool {
	a.procs = procs.NewTable(procs.Limits{})
	a.undo.add("background processes", a.procs.Close)
	return toolall.Tools(toolall.Deps{
		Procs:   a.procs,
		Exec:    exec.Options{Host: a.hostBox},
		Status:  statusSource{a},
		Agents:  agentLister{a},
		Gateway: configAdmin{a},
		More:    slices.Concat(a.sessionTools(), a.contentTools(), a.opts.Tools),
	})
}

// hostBox is where elevated calls run: the gateway's own user, in the agent's
// workspace.
func (a *App) hostBox(c *tool.Call) (sandbox.Box, error) {
	return hostbox.New(hostbox.Options{Dir: a.workspace(c.Session.Tenant, c.Session.Agent)})
}

// hasAction reports whether a tool's schema has a property "action".
func (a *App) hasAction(name string) bool {
	t, ok := a.tools.Get(name)
	if !ok {
		return false
	}
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	return json.Unmarshal(t.Spec().Schema, &s) == nil && s.Properties["action"] != nil
}

// recent is a tenant's newest records as JSON lines.
func (a *App) recent(tenant string, last int) (string, error) {
	var b strings.Builder
	err := journal.Read(a.journalDir(), journal.Filter{Tenant: tenant, Last: last}, func(r journal.Record) bool {
		line, err := json.Marshal(r)
		if err == nil {
			b.Write(line)
			b.WriteByte('\n')
		}
		return true
	})
	return b.String(), err
}

// statusSource answers session_status from what the gateway knows.
type statusSource struct{ app *App }

// Status is how a session of the caller's tenant stands.
func (s statusSource) Status(ctx context.Context, caller gateway.Caller, from tool.Session, key string) (sessionstatus.Status, error) {
	a := s.app
	if key == "" {
		key = from.Key
	}
	parsed, err := session.ParseKey(key, from.Agent)
	if err != nil {
		return sessionstatus.Status{}, tool.Input(err.Error())
	}
	got, err := a.sessions.Get(ctx, caller.Tenant(), parsed.String())
	if err != nil {
		return sessionstatus.Status{}, &tool.Error{Kind: tool.KindNotFound, Public: "No session found: " + key, Err: err}
	}
	agent, _ := a.live.Load().loaded.Agent(parsed.Agent)
	st := sessionstatus.Status{
		Key: parsed.String(), Agent: parsed.Agent, Model: agent.Model, Execution: "direct", Label: got.Label,
		Updated: got.Updated, StateVersion: int64(a.journal.Seq()), Version: version.String(), Uptime: time.Since(a.began),
	}
	if a.boxes.Sandboxed(parsed.Agent, parsed.Main()) {
		st.Execution = "sandboxed"
	}
	return st, nil
}
