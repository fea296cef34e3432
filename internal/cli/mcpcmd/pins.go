package mcpcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/hub"
	"github.com/pmezard/go-difflib/difflib"
	"github.com/spf13/cobra"
)

// waits reports whether a tool is for somebody to decide about.
func waits(t hub.ToolStatus) bool {
	return t.State == mcpclient.StateNew || t.State == mcpclient.StateChanged
}

// pick finds the tool that args mean, SERVER and the server's name for it or
// ours; without a name all that wait. With ask the server itself is asked.
func (a *api) pick(ctx context.Context, args []string, ask bool) ([]hub.ToolStatus, error) {
	server, names := args[0], args[1:]
	list, err := a.tools(ctx, server, ask)
	if err != nil {
		return nil, err
	}
	var out []hub.ToolStatus
	for _, t := range list {
		if len(names) == 0 && waits(t) || len(names) == 1 && (t.Tool == names[0] || t.Mounted == names[0]) {
			out = append(out, t)
		}
	}
	if len(names) == 1 && len(out) == 0 {
		return nil, cliutil.WithHint(fmt.Errorf("%s offers no tool %s", server, quoted(names[0])), "chitin mcp tools "+server)
	}
	return out, nil
}

func diff(env *cliutil.Env) *cobra.Command {
	var asJSON bool
	cmd := command(env, &cobra.Command{
		Use: "diff SERVER [TOOL]", Short: "Show how a tool differs from what was approved", Args: cobra.RangeArgs(1, 2),
		Long:    "Without TOOL all that wait for approval. What a server says is shown with hidden characters as escapes.",
		Example: "  chitin mcp diff github\n  chitin mcp diff github create_issue",
	}, func(ctx context.Context, a *api, args []string) error {
		list, err := a.pick(ctx, args, false)
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(env, map[string]any{"tools": list})
		}
		if len(list) == 0 {
			_, err := fmt.Fprintln(env.Out, "nothing waits for approval")
			return err
		}
		for _, t := range list {
			if err := printDiff(env, t); err != nil {
				return err
			}
		}
		return nil
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printDiff(env *cliutil.Env, t hub.ToolStatus) error {
	var was []string
	from := "nothing approved"
	if t.Pinned != nil {
		was, from = lines(t.Pinned.Definition), "approved "+short(t.Pinned.Digest)
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: was, B: lines(t.Seen.Definition), FromFile: from, ToFile: "offered " + short(t.Seen.Digest), Context: 2})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(env.Out, "%s %s is %s\n", t.Server, quoted(t.Tool), t.State)
	if t.Problem != "" {
		_, _ = fmt.Fprintln(env.Out, "refused: "+cliutil.Plain(t.Problem))
	}
	if len(t.Suspicious) > 0 {
		_, _ = fmt.Fprintln(env.Out, "warning: its texts look like an attack: "+strings.Join(t.Suspicious, ", "))
	}
	_, err = fmt.Fprint(env.Out, text)
	return err
}

// lines is a definition as indented JSON, one safe line each.
func lines(d mcpclient.Definition) []string {
	raw, err := d.Canonical()
	var v any
	if err != nil || json.Unmarshal(raw, &v) != nil {
		return []string{"(not JSON)\n"}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if enc.Encode(v) != nil {
		return []string{"(not JSON)\n"}
	}
	var out []string
	for l := range strings.SplitSeq(strings.TrimSpace(b.String()), "\n") {
		// A long text is one JSON string: break it where its author did.
		for i, part := range strings.Split(l, `\n`) {
			if i > 0 {
				part = "    " + part
			}
			out = append(out, cliutil.Plain(part)+"\n")
		}
	}
	return out
}

func approve(env *cliutil.Env) *cobra.Command {
	return command(env, &cobra.Command{
		Use: "approve SERVER [TOOL]", Short: "Let tools of an MCP server be used as they are now", Args: cobra.RangeArgs(1, 2),
		Long: "The server is asked, and what it says of the tool now is pinned by its digest. Without TOOL all that\n" +
			"wait are approved, except those whose texts look like an attack: name each of these. Look first with\n" +
			"chitin mcp diff. Exits 3 when something was left.",
		Example: "  chitin mcp approve github\n  chitin mcp approve github create_issue",
	}, func(ctx context.Context, a *api, args []string) error {
		list, err := a.pick(ctx, args, true)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			_, err := fmt.Fprintln(env.Out, "nothing waits for approval")
			return err
		}
		return approveAll(ctx, env, a, list, len(args) == 2)
	})
}

func approveAll(ctx context.Context, env *cliutil.Env, a *api, list []hub.ToolStatus, named bool) error {
	left := 0
	for _, t := range list {
		if !named && len(t.Suspicious) > 0 {
			left++
			_, _ = fmt.Fprintf(env.Out, "left %[1]s: its texts look like an attack (%[2]s): chitin mcp diff %[3]s %[1]s\n", t.Mounted, strings.Join(t.Suspicious, ", "), t.Server)
			continue
		}
		if err := a.change(ctx, t.Server, "approve", t.Tool, t.Seen.Digest); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(env.Out, "approved %s %s\n", t.Mounted, short(t.Seen.Digest))
	}
	if left > 0 {
		return cliutil.Exit(cliutil.ExitFound)
	}
	return nil
}

func revoke(env *cliutil.Env) *cobra.Command {
	return command(env, &cobra.Command{
		Use: "revoke SERVER TOOL", Short: "Take the approval of a tool back", Args: cobra.ExactArgs(2),
		Long:    "The tool is refused at once, until it is approved again.",
		Example: "  chitin mcp revoke github create_issue",
	}, func(ctx context.Context, a *api, args []string) error {
		list, err := a.pick(ctx, args, false)
		if err != nil {
			return err
		}
		for _, t := range list {
			if err := a.change(ctx, t.Server, "revoke", t.Tool, ""); err != nil {
				return err
			}
			_, _ = fmt.Fprintf(env.Out, "revoked %s\n", t.Mounted)
		}
		return nil
	})
}

func restart(env *cliutil.Env) *cobra.Command {
	return command(env, &cobra.Command{
		Use: "restart SERVER", Short: "Stop an MCP server and forget its failures", Args: cobra.ExactArgs(1),
		Long:    "Calls under way fail and are not repeated. The next call starts it.",
		Example: "  chitin mcp restart github",
	}, func(ctx context.Context, a *api, args []string) error {
		if err := a.change(ctx, args[0], "restart", "", ""); err != nil {
			return err
		}
		_, err := fmt.Fprintln(env.Out, "stopped", cliutil.Plain(args[0])+"; the next call starts it")
		return err
	})
}
