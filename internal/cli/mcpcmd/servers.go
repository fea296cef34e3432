package mcpcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/gatewayclient"
	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/hub"
	"github.com/spf13/cobra"
)

const serversPath = "/mcp-servers"

// api asks the running gateway about the MCP servers that it uses.
type api struct{ c *gatewayclient.Client }

// read decodes an answer, or turns it into an error with what to do next.
func (a *api) read(status int, body []byte, err error, into any) error {
	if err != nil {
		return err
	}
	if status == http.StatusOK {
		return json.Unmarshal(body, into)
	}
	var e struct {
		Error struct{ Message string }
	}
	_ = json.Unmarshal(body, &e)
	msg := cliutil.Plain(e.Error.Message)
	if msg == "" {
		msg = fmt.Sprintf("the gateway answered %d", status)
	}
	hint := "chitin mcp servers"
	switch status {
	case http.StatusForbidden:
		hint = "use a credential with operator.admin"
	case http.StatusConflict:
		hint = "chitin mcp diff SERVER"
	}
	return cliutil.WithHint(errors.New(msg), hint)
}

func (a *api) servers(ctx context.Context) ([]hub.Status, error) {
	var out struct{ Servers []hub.Status }
	status, body, err := a.c.Get(ctx, serversPath)
	err = a.read(status, body, err, &out)
	return out.Servers, err
}

func (a *api) tools(ctx context.Context, server string, ask bool) ([]hub.ToolStatus, error) {
	path := serversPath + "/" + url.PathEscape(server) + "/tools"
	if ask {
		path += "?ask=1"
	}
	var out struct{ Tools []hub.ToolStatus }
	status, body, err := a.c.Get(ctx, path)
	err = a.read(status, body, err, &out)
	return out.Tools, err
}

func (a *api) change(ctx context.Context, server, action, tool, digest string) error {
	body, err := json.Marshal(map[string]string{"action": action, "tool": tool, "digest": digest})
	if err != nil {
		return err
	}
	status, answer, err := a.c.Post(ctx, serversPath+"/"+url.PathEscape(server), body)
	return a.read(status, answer, err, new(map[string]any))
}

// command makes a subcommand that talks to the gateway.
func command(env *cliutil.Env, cmd *cobra.Command, run func(ctx context.Context, a *api, args []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := gatewayclient.New(env)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Minute)
		defer cancel()
		return run(ctx, &api{c}, args)
	}
	return cmd
}

func servers(env *cliutil.Env) *cobra.Command {
	var asJSON bool
	cmd := command(env, &cobra.Command{
		Use: "servers", Short: "Show the MCP servers that chitin uses itself", Args: cobra.NoArgs,
		Long:    "Those of mcp.servers in the configuration, with their state for the tenant of the credential.\nA server is started by the first call of one of its tools.",
		Example: "  chitin mcp servers\n  chitin mcp servers --json",
	}, func(ctx context.Context, a *api, _ []string) error {
		list, err := a.servers(ctx)
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(env, map[string]any{"servers": list})
		}
		if len(list) == 0 {
			_, err := fmt.Fprintln(env.Out, "no MCP servers are configured: see mcp.servers in docs/config.md")
			return err
		}
		return printServers(env, list)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printServers(env *cliutil.Env, list []hub.Status) error {
	w := tabwriter.NewWriter(env.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "SERVER\tTRANSPORT\tSTATE\tTOOLS\tWAITING\tREFUSED\tRESTARTS")
	for _, s := range list {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\n", s.Server, s.Transport, s.State, s.Tools, s.Quarantined, s.Refused, s.Restarts)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range list {
		if s.Error != "" {
			next := ""
			if s.Next != nil {
				next = ", next start not before " + s.Next.Format(time.TimeOnly)
			}
			_, _ = fmt.Fprintf(env.Out, "%s: %s%s\n", s.Server, cliutil.Plain(s.Error), next)
		}
		if s.Quarantined > 0 {
			_, _ = fmt.Fprintf(env.Out, "%[1]s: %[2]d tools wait for approval: chitin mcp diff %[1]s, then chitin mcp approve %[1]s\n", s.Server, s.Quarantined)
		}
	}
	return nil
}

func tools(env *cliutil.Env) *cobra.Command {
	var asJSON, ask bool
	cmd := command(env, &cobra.Command{
		Use: "tools [SERVER]", Short: "Show what MCP servers offer, and what of it was approved", Args: cobra.MaximumNArgs(1),
		Long:    "States: approved can be used; new and changed wait for chitin mcp approve; refused has a name or schema\nthat cannot be taken; gone is not offered any more. With --ask the servers are started and asked anew.",
		Example: "  chitin mcp tools\n  chitin mcp tools github --ask",
	}, func(ctx context.Context, a *api, args []string) error {
		names := args
		if len(names) == 0 {
			list, err := a.servers(ctx)
			if err != nil {
				return err
			}
			for _, s := range list {
				if s.State != "disabled" {
					names = append(names, s.Server)
				}
			}
		}
		all := []hub.ToolStatus{}
		for _, n := range names {
			list, err := a.tools(ctx, n, ask)
			if err != nil {
				return err
			}
			all = append(all, list...)
		}
		if asJSON {
			return writeJSON(env, map[string]any{"tools": all})
		}
		return printTools(env, all)
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&ask, "ask", false, "start the servers that are not running and ask them")
	return cmd
}

func printTools(env *cliutil.Env, list []hub.ToolStatus) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(env.Out, "nothing is known yet: chitin mcp tools --ask")
		return err
	}
	w := tabwriter.NewWriter(env.Out, 0, 0, 2, ' ', 0)
	for _, t := range list {
		name, note := t.Mounted, t.Problem
		if name == "" {
			name = t.Server + mcpclient.Sep + "?"
			note = quoted(t.Tool) + ": " + note
		}
		if len(t.Suspicious) > 0 {
			note = strings.TrimPrefix(note+"; looks like an attack: "+strings.Join(t.Suspicious, ", "), "; ")
		}
		if note == "" {
			note = oneLine(t.Seen.Definition.Description, 80)
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, t.State, short(t.Seen.Digest), cliutil.Plain(note))
	}
	return w.Flush()
}

func short(digest string) string { return "sha256:" + digest[:min(12, len(digest))] }

// oneLine is the beginning of a text in one line.
func oneLine(s string, n int) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return string(r)
}

func quoted(s string) string { return `"` + cliutil.Plain(oneLine(s, 60)) + `"` }

func writeJSON(env *cliutil.Env, v any) error {
	enc := json.NewEncoder(env.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
