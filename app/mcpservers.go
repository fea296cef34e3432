package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/hub"
	"github.com/chitin-sh/chitin/mcpclient/pins"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/runtime"
	"github.com/prometheus/client_golang/prometheus"
)

// openServers makes the hub of the MCP servers that chitin uses. It starts
// none: the first listing or call does.
func (a *App) openServers(ctx context.Context, l *config.Loaded) (err error) {
	a.servers, err = hub.Open(ctx, l.MCP, hub.Options{
		Pins: pins.New(a.db), Boxes: serverBoxes{a}, Version: a.version(), Log: a.log,
		Secret: func(path string) (secrets.Value, bool) { return a.secrets.Current().Get(path) },
		OnEvent: func(e hub.Event) {
			detail, _ := json.Marshal(map[string]string{"server": e.Server, "digest": e.Digest})
			a.note(&journal.Entry{Event: "mcp." + e.Kind, Tenant: e.Tenant, Principal: e.By, Tool: e.Tool, Reason: a.redactor.String(e.Text), Detail: detail})
		},
		OnChange: a.remounted,
	})
	return err
}

// toolNames is every name that the policy has to know.
func (a *App) toolNames() []string {
	return append(slices.Clone(a.tools.Names()), a.servers.Names()...)
}

// remounted compiles the policy again because other tools can be named.
func (a *App) remounted() {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	now := a.live.Load()
	if now == nil || a.runner == nil {
		return // still starting
	}
	if err := a.recompile(now.loaded); err != nil {
		a.log.Error("the tools of MCP servers cannot be mounted", slog.Any("err", err))
	}
}

// recompile takes a configuration that is in force into use with the tools that
// there are now; a.reloading is held.
func (a *App) recompile(l *config.Loaded) error {
	again := *l
	r, err := compile(&again, a.toolNames())
	if err != nil {
		return err
	}
	again.Warnings = l.Warnings // said before
	a.live.Store(r)
	a.runner.Swap(a.deps(r, a.once))
	a.generation.Add(1)
	if a.mcp != nil {
		a.mcp.PolicyChanged()
	}
	return nil
}

// serverBoxes gives stdio servers their sandboxes: one per server and tenant,
// under a name that no agent's session can have.
type serverBoxes struct{ app *App }

// Box makes the server's box, or finds it.
func (b serverBoxes) Box(ctx context.Context, tenant, server string) (sandbox.Box, error) {
	name := mcpclient.BoxAgent(server)
	return b.app.boxes.BoxFor(ctx, sandbox.SessionRef{Key: name, Agent: name, Tenant: tenant})
}

// Drop removes it. Its files stay for the next one.
func (b serverBoxes) Drop(tenant, server string) {
	key := "session:" + mcpclient.BoxAgent(server)
	b.app.boxes.Recreate(tenant, func(i sandbox.Info) bool { return i.Key == key && i.Tenant == tenant })
}

// dropLeftServers removes the boxes of MCP servers that an earlier gateway left
// and this one took over: nobody is connected to what runs in them.
func (a *App) dropLeftServers() {
	for _, i := range a.boxes.List("*") {
		server, ok := strings.CutPrefix(i.Key, "session:"+mcpclient.BoxAgent(""))
		if ok && a.servers.Idle(i.Tenant, server) {
			serverBoxes{a}.Drop(i.Tenant, server)
		}
	}
}

// serverConfigs adds the sandbox configurations of the servers to those of the
// agents.
func serverConfigs(boxes map[string]sandbox.Config, l *config.Loaded) {
	for name, s := range l.MCP.Servers {
		if s.Kind() == mcpclient.Stdio {
			boxes[mcpclient.BoxAgent(name)] = s.BoxConfig(l.Agents.Defaults.Sandbox)
		}
	}
}

// serverNames lists the configured servers, for the policy.
func serverNames(l *config.Loaded) []string { return slices.Sorted(maps.Keys(l.MCP.Servers)) }

// serverNeeds are the secrets of the servers. A server without its secret does
// not start; the gateway does.
func serverNeeds(l *config.Loaded) []runtime.Need {
	var out []runtime.Need
	for _, n := range l.MCP.Needs() {
		out = append(out, runtime.Need{Path: n.Path, Field: n.Field})
	}
	return out
}

// serverMetrics are few and without labels.
func (a *App) serverMetrics(gauge func(name, help string, f func() float64), reg prometheus.Registerer) {
	gauge("mcp_servers_ready", "MCP servers that are running.", func() float64 { return float64(a.servers.Counts().Ready) })
	gauge("mcp_servers_down", "MCP servers that failed and wait to be started again.", func() float64 { return float64(a.servers.Counts().Down) })
	gauge("mcp_tools_quarantined", "Tools of MCP servers that wait for approval.", func() float64 { return float64(a.servers.Counts().Quarantined) })
	counter := func(name, help string, f func() float64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "chitin", Name: name, Help: help}, f))
	}
	counter("mcp_quarantines_total", "Times that a tool of an MCP server was quarantined.", func() float64 { return float64(a.servers.Counts().Quarantines) })
	counter("mcp_restarts_total", "Times that an MCP server was started again after it ended.", func() float64 { return float64(a.servers.Counts().Restarts) })
}
