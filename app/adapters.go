package app

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/external"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// policy shows the corridor a compiled engine.
type policy struct{ *toolpolicy.Engine }

// Trace is the whole trace of a decision.
func (p policy) Trace(c gateway.Caller, q *toolpolicy.Query) []toolpolicy.Step {
	return p.Explain(c, q).Trace
}

// places shows the corridor the sandbox manager.
type places struct {
	boxes *sandbox.Manager
	app   *App
	made  *recent
}

// recent remembers for a second where an agent's workspace is and that it is
// there: calls come faster than folders go.
type recent struct{ workspaces sync.Map } // workspaceOf → seen

type (
	workspaceOf struct{ tenant, agent string }
	seen        struct {
		dir string
		at  time.Time
	}
)

// workspace is an agent's workspace, made if it is ours to make.
func (p places) workspace(tenant, agent string) (string, error) {
	k := workspaceOf{tenant, agent}
	if s, ok := p.made.workspaces.Load(k); ok && time.Since(s.(seen).at) < time.Second {
		return s.(seen).dir, nil
	}
	dir := p.app.workspace(tenant, agent)
	if strings.HasPrefix(dir, filepath.Join(p.app.opts.StateDir, "workspaces")+string(filepath.Separator)) {
		if err := securefile.MkdirAll(dir); err != nil {
			return "", err
		}
	} // a configured one has to be there
	p.made.workspaces.Store(k, seen{dir, time.Now()})
	return dir, nil
}

// Facts says how a session's tools would run.
func (p places) Facts(agent string, main bool) (sandboxed, readOnly bool) {
	c := p.app.live.Load().sandbox(agent)
	return c.Sandboxed(main), c.WorkspaceAccess == "ro"
}

// Choose finds the place of one granted call.
func (p places) Choose(ctx context.Context, g toolpolicy.Grant, s session.Session, needBox bool) (sandbox.Place, error) {
	dir, err := p.workspace(s.Tenant, s.Key.Agent)
	if err != nil {
		return sandbox.Place{}, err
	}
	return p.boxes.Choose(ctx, g, sandbox.SessionRef{
		Key: s.Key.String(), Agent: s.Key.Agent, Tenant: s.Tenant, Main: s.Key.Main(), WorkspaceDir: dir,
	}, needBox)
}

// sealer is layer 5 for the corridor.
type sealer struct{ cfg external.Config }

// Seal wraps a text and says what was flagged in it.
func (s sealer) Seal(source, text string) (wrapped, label string, flagged []string) {
	sealed := external.Wrap(text, external.Meta{Source: source}, s.cfg.Options()...)
	for _, f := range sealed.Families() {
		flagged = append(flagged, string(f))
	}
	return sealed.Text(), sealed.Label().String(), flagged
}

// agents knows the configured agents of one configuration.
type agents struct {
	byDefault string
	known     map[string]bool
}

func newAgents(l *config.Loaded) agents {
	a := agents{byDefault: l.DefaultAgent(), known: map[string]bool{}}
	for _, id := range l.AgentIDs() {
		a.known[id] = true
	}
	return a
}

// Default is the agent of calls that name none.
func (a agents) Default() string { return a.byDefault }

// Known reports whether an agent may be named.
func (a agents) Known(id string) bool { return a.known[id] }

// refused records refusals at the gate, folded so that a flood stays a line.
func (a *App) refused(e gateway.RefusalEvent) {
	detail, _ := json.Marshal(map[string]any{"client": e.Client, "route": e.Route, "status": e.Status, "count": e.Count})
	a.note(&journal.Entry{Event: "auth.refused", Verdict: "deny", Reason: string(e.Reason), Surface: "http", Detail: detail})
}

// boxEvent records what happens to sandboxes.
func (a *App) boxEvent(e sandbox.Event) {
	if e.Kind == "progress" {
		a.log.Info("sandbox: " + e.Text)
		return
	}
	detail, _ := json.Marshal(map[string]any{"box": e.Box, "backend": e.Backend, "scope": e.Owner.Scope, "key": e.Owner.Key, "text": a.redactor.String(e.Text)})
	entry := &journal.Entry{Event: "sandbox." + e.Kind, Tenant: e.Owner.Tenant, Detail: detail}
	if e.Critical {
		entry.Reason = "critical"
		a.log.Error("sandbox: " + e.Text)
	}
	if _, err := a.journal.Write(entry); err != nil {
		a.log.Error("journal refused a record", "err", err)
	}
}
