// Package mcpcmd is "chitin mcp": the gateway's tools for a client of the
// Model Context Protocol on standard input and output; its subcommands look
// after the MCP servers that the gateway uses itself.
package mcpcmd

import (
	"net/http"
	"time"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/gatewayclient"
	"github.com/chitin-sh/chitin/server/mcpbridge"
	"github.com/spf13/cobra"
)

// New is the command.
func New(env *cliutil.Env) *cobra.Command {
	var session string
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Offer the gateway's tools to an MCP client on standard input and output",
		Long: "For clients that start their servers as programs. It talks to the running gateway of the state\n" +
			"directory; clients that speak streamable HTTP use the gateway's /mcp with the token directly.\n" +
			"The subcommands are about the other direction: MCP servers that chitin uses.",
		Example: "  claude mcp add chitin -- chitin mcp\n  chitin mcp --session agent:main:editor",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := gatewayclient.New(env)
			if err != nil {
				return err
			}
			h := http.Header{}
			h.Set("Authorization", c.Authorization())
			if session != "" {
				h.Set("Chitin-Session", session)
			}
			b := mcpbridge.Bridge{URL: c.Base + "/mcp", Header: h, Client: &http.Client{Timeout: time.Hour}}
			return b.Run(cmd.Context(), env.In, env.Out)
		},
	}
	cmd.Flags().StringVar(&session, "session", "", "session key that the calls belong to")
	cmd.PersistentFlags().IntVar(&env.Port, "port", 0, "the gateway's port")
	cmd.AddCommand(servers(env), tools(env), diff(env), approve(env), revoke(env), restart(env))
	return cmd
}
