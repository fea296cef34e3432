// Package agentcmd is "chitin agent": turns of an agent behind the gateway.
package agentcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/gatewayclient"
	"github.com/spf13/cobra"
)

// New is the command.
func New(env *cliutil.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Let an agent behind the gateway work",
		Long: "An agent is a model (agents.defaults.model, models.providers) with the tools that the policy lets\n" +
			"it use, each call decided, sandboxed and recorded like any other.",
	}
	cmd.AddCommand(run(env))
	return cmd
}

func run(env *cliutil.Env) *cobra.Command {
	var session, agent string
	var asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:     "run MESSAGE",
		Short:   "Give an agent one message and print its answer",
		Long:    "MESSAGE may be - to read it from standard input. Talks to the running gateway.",
		Example: "  chitin agent run \"what is in notes.txt?\"\n  chitin agent run --session agent:main:review --json - < task.txt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[0]
			if text == "-" {
				b, err := io.ReadAll(io.LimitReader(env.In, 1<<20))
				if err != nil {
					return err
				}
				text = string(b)
			}
			if strings.TrimSpace(text) == "" {
				return cliutil.Usage("the message is empty", `chitin agent run "what is in notes.txt?"`)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return turn(ctx, env, text, session, agent, asJSON)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&session, "session", "", "session key (default the agent's main session)")
	fl.StringVar(&agent, "agent", "", "agent id")
	fl.BoolVar(&asJSON, "json", false, "print the gateway's answer as it is")
	fl.DurationVar(&timeout, "timeout", 30*time.Minute, "how long to wait")
	fl.IntVar(&env.Port, "port", 0, "the gateway's port")
	return cmd
}

func turn(ctx context.Context, env *cliutil.Env, text, session, agent string, asJSON bool) error {
	c, err := gatewayclient.New(env)
	if err != nil {
		return err
	}
	if session != "" {
		c.Header = http.Header{"Chitin-Session": {session}}
	}
	body := map[string]any{"input": text}
	if agent != "" {
		body["model"] = "chitin/" + agent
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	status, answer, err := c.Post(ctx, "/v1/responses", raw)
	if err != nil {
		return err
	}
	if asJSON {
		_, err = env.Out.Write(append(bytes.TrimSpace(answer), '\n'))
		if err == nil && status != http.StatusOK {
			err = cliutil.Exit(cliutil.ExitFailure)
		}
		return err
	}
	var a struct {
		OutputText string `json:"output_text"`
		Error      struct{ Message string }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("the gateway answered %d", status)
	}
	if status != http.StatusOK {
		return cliutil.WithHint(errors.New(cliutil.Plain(a.Error.Message)), "chitin journal tail shows what happened")
	}
	_, err = fmt.Fprintln(env.Out, a.OutputText)
	return err
}
