package app

import (
	"bytes"
	"context"
	"net/http"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/open"
	"github.com/chitin-sh/chitin/audit/probe"
	"github.com/chitin-sh/chitin/audit/render"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/server/mcpapi"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
)

// openMCP makes the Model Context Protocol's door.
func (a *App) openMCP() *mcpapi.Door {
	deps := mcpapi.Deps{
		Corridor: a.runner, Generation: a.generation.Load, Alive: a.guard.Alive, Track: a.track,
		Journal: a.recent, Findings: a.findings, Redact: a.redactor.String, Version: a.version(), Log: a.log,
		Approvals: &mcpapi.Approvals{On: a.elicits, Over: a.askClient},
	}
	if a.opts.MCP != nil {
		a.opts.MCP(&deps)
	}
	a.mcp = mcpapi.New(deps)
	return a.mcp
}

// resource is the gateway as an OAuth protected resource.
func (a *App) resource() mcpapi.Resource {
	auth := a.live.Load().loaded.Gateway.Auth
	return mcpapi.ResourceOf(auth.Mode, auth.OIDC)
}

// resourceRoutes say what protects /mcp.
func (a *App) resourceRoutes() []httpapi.Extra {
	var out []httpapi.Extra
	for _, path := range []string{mcpapi.MetadataPath, mcpapi.MetadataPath + "/mcp"} {
		out = append(out, httpapi.Extra{
			Route:   gateway.Route{Path: path, Methods: []string{http.MethodGet, http.MethodHead}, Auth: gateway.AuthPublic, About: "Which issuer's tokens /mcp takes (RFC 9728), with mode oidc and an audience that is a URL."},
			Handler: mcpapi.Metadata(a.resource),
		})
	}
	return out
}

// track ends a call when its caller's authority ends.
func (a *App) track(c gateway.Caller, end func()) (func(), bool) {
	grip, ok := a.guard.Track(c, end)
	return func() { grip.Release() }, ok
}

// elicits reports whether users of MCP clients may decide about their calls.
func (a *App) elicits() bool { return a.live.Load().loaded.Tools.Approvals.Elicitation == "on" }

// askClient lets the user of an MCP client decide about the calls of ctx.
func (a *App) askClient(ctx context.Context, human gateway.Caller, key, via string, ask func(context.Context, mcpapi.Question) (bool, error)) context.Context {
	k, err := session.ParseKey(key, a.live.Load().loaded.DefaultAgent())
	if err != nil {
		return ctx
	}
	return approval.WithLine(ctx, approval.NewClientLine(human, k.String(), via, func(ctx context.Context, r approval.Request) (approval.Answer, error) {
		yes, err := ask(ctx, mcpapi.Question{
			ID: r.ID, Tool: r.Tool, Session: r.Session, Plan: a.redactor.String(r.Plan.Summary()), Why: r.Plan.Why, Digest: r.Digest, Host: r.Host,
		})
		return approval.Answer{Allow: yes, Note: "answered by elicitation: the client says that its user did"}, err
	}))
}

// findings is the audit of the configuration and the state directory as they
// are now, as JSON.
func (a *App) findings(ctx context.Context) (string, error) {
	s, err := open.Own(open.Options{State: a.opts.StateDir, Config: a.opts.ConfigPath, Getenv: a.opts.Getenv, Home: a.opts.Getenv("HOME")})
	if err != nil {
		return "", err
	}
	s.Ctx, s.Probes = ctx, probe.Plain(a.opts.Getenv, s.StateDir)
	var b bytes.Buffer
	if err := render.JSON(&b, audit.Run(s, all.Checks())); err != nil {
		return "", err
	}
	return a.redactor.String(b.String()), nil
}
