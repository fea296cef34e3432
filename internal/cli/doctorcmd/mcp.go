package doctorcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/gatewayclient"
	"github.com/chitin-sh/chitin/mcpclient/hub"
)

// mcpServers asks the running gateway how the MCP servers are that it uses.
func mcpServers(ctx context.Context, env *cliutil.Env) Result {
	r := Result{Name: "mcp servers", Status: "ok", Detail: "none are configured"}
	path, err := env.ConfigPath()
	if err != nil {
		return r
	}
	l, err := config.Load(path)
	if err != nil || len(l.MCP.Servers) == 0 {
		return r // what is wrong with the configuration is said elsewhere
	}
	r.Detail = fmt.Sprintf("%d configured; no gateway to ask", len(l.MCP.Servers))
	c, err := gatewayclient.New(env)
	if err != nil {
		return r
	}
	status, body, err := c.Get(ctx, "/mcp-servers")
	var out struct{ Servers []hub.Status }
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &out) != nil {
		return r
	}
	return judge(r, out.Servers)
}

// judge says what of the servers needs somebody.
func judge(r Result, list []hub.Status) Result {
	var down []string
	running, waiting := 0, 0
	for _, s := range list {
		switch s.State {
		case "ready":
			running++
		case "down":
			down = append(down, s.Server+" ("+cliutil.Plain(s.Error)+")")
		}
		waiting += s.Quarantined
	}
	r.Detail = fmt.Sprintf("%d for this tenant, %d running, %d tools wait for approval", len(list), running, waiting)
	if waiting > 0 {
		r.Status, r.Fix = "warn", "chitin mcp tools"
	}
	if len(down) > 0 {
		r.Status, r.Fix = "warn", "chitin mcp servers"
		r.Detail += "; down: " + strings.Join(down, ", ")
	}
	return r
}
