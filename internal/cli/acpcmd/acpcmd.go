// Package acpcmd is "chitin acp": an agent behind the gateway for an editor
// that speaks the Agent Client Protocol on standard input and output.
package acpcmd

import (
	"fmt"
	"net/http"

	"github.com/coder/websocket"
	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/gatewayclient"
	"github.com/chitin-sh/chitin/server/acpapi"
)

// New is the command.
func New(env *cliutil.Env) *cobra.Command {
	var agent string
	cmd := &cobra.Command{
		Use:   "acp",
		Short: "Offer an agent to an editor on standard input and output (Agent Client Protocol)",
		Long: "For editors that start their agents as programs. It carries the protocol to the running gateway of\n" +
			"the state directory, where a prompt is one turn of an agent. Whatever the policy asks about is asked\n" +
			"at the editor; no answer is a no. The editor's own files, terminals and MCP servers are not used.",
		Example: "  chitin acp\n  chitin acp --agent work",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := gatewayclient.New(env)
			if err != nil {
				return err
			}
			h := http.Header{"Authorization": {c.Authorization()}}
			if agent != "" {
				h.Set(acpapi.AgentHeader, agent)
			}
			ws, resp, err := websocket.Dial(cmd.Context(), c.Base+"/acp", &websocket.DialOptions{HTTPHeader: h})
			if err != nil {
				err = dialError(c.Base, resp)
				refuse(env.In, env.Out, err)
				return err
			}
			return bridge(cmd.Context(), ws, env.In, env.Out)
		},
	}
	cmd.Flags().StringVar(&agent, "agent", "", "agent of new sessions; the default agent when absent")
	cmd.Flags().IntVar(&env.Port, "port", 0, "the gateway's port")
	return cmd
}

// dialError says what to do when the gateway does not take the connection.
func dialError(base string, resp *http.Response) error {
	switch {
	case resp == nil:
		return cliutil.WithHint(fmt.Errorf("no gateway answers at %s", base), "chitin serve")
	case resp.StatusCode == http.StatusUnauthorized:
		return cliutil.WithHint(fmt.Errorf("the gateway does not take the token"), "chitin token list")
	case resp.StatusCode == http.StatusForbidden:
		return cliutil.WithHint(fmt.Errorf("the token may not run turns"), "chitin token create editor --scope write,approvals")
	}
	return fmt.Errorf("the gateway answered %d", resp.StatusCode)
}
