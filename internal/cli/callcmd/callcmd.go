// Package callcmd is "chitin call": one tool call to a running gateway.
package callcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/gatewayclient"
	"github.com/spf13/cobra"
)

type flags struct {
	args, session, agent, key string
	asJSON, dryRun            bool
	timeout                   time.Duration
}

// New is the command.
func New(env *cliutil.Env) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "call TOOL",
		Short: "Call one tool of a running gateway",
		Long: "Talks to the gateway of the state directory with its token. Exits 0 when the tool ran, 1 when\n" +
			"the call failed, 3 when the policy refused it.",
		Example: "  chitin call exec --args '{\"command\":\"id\"}'\n" +
			"  chitin call read --args '{\"path\":\"notes.txt\"}' --session agent:main:work --json\n" +
			"  chitin call exec --args '{\"command\":\"id\"}' --dry-run",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), env, args[0]) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.args, "args", "{}", "arguments as a JSON object, or - to read them from standard input")
	fl.StringVar(&f.session, "session", "", "session key (default the agent's main session)")
	fl.StringVar(&f.agent, "agent", "", "agent id")
	fl.StringVar(&f.key, "idempotency-key", "", "run at most once under this key")
	fl.BoolVar(&f.asJSON, "json", false, "print the gateway's answer as it is")
	fl.BoolVar(&f.dryRun, "dry-run", false, "only say what the policy decides")
	fl.DurationVar(&f.timeout, "timeout", 35*time.Minute, "how long to wait")
	fl.IntVar(&env.Port, "port", 0, "the gateway's port")
	return cmd
}

type body struct {
	Tool           string          `json:"tool"`
	Args           json.RawMessage `json:"args"`
	SessionKey     string          `json:"sessionKey,omitempty"`
	AgentID        string          `json:"agentId,omitempty"`
	IdempotencyKey string          `json:"idempotencyKey,omitempty"`
	DryRun         bool            `json:"dryRun,omitempty"`
}

func (f *flags) run(ctx context.Context, env *cliutil.Env, tool string) error {
	args := []byte(f.args)
	if f.args == "-" {
		var err error
		if args, err = io.ReadAll(io.LimitReader(env.In, 2<<20)); err != nil {
			return err
		}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(args, &object); err != nil {
		return cliutil.Usage("--args is not a JSON object: "+err.Error(), `--args '{"command":"id"}'`)
	}
	raw, err := json.Marshal(body{tool, args, f.session, f.agent, f.key, f.dryRun})
	if err != nil {
		return err
	}
	c, err := gatewayclient.New(env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	status, answer, err := c.Post(ctx, "/tools/invoke", raw)
	if err != nil {
		return err
	}
	if f.asJSON {
		if _, err := env.Out.Write(append(bytes.TrimSpace(answer), '\n')); err != nil {
			return err
		}
		return exit(status, "")
	}
	return print(env, status, answer)
}

// exit is the code for a status; msg is printed unless it is empty.
func exit(status int, msg string) error {
	code := cliutil.ExitFailure
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusForbidden, http.StatusNotFound:
		code = cliutil.ExitFound
	}
	if msg == "" {
		return cliutil.Exit(code)
	}
	return &cliutil.Error{Code: code, Err: errors.New(msg), Hint: "chitin policy explain shows why a tool is refused"}
}

func print(env *cliutil.Env, status int, answer []byte) error {
	var a struct {
		Result struct {
			Content []struct{ Type, Text, MimeType string }
		}
		Decision json.RawMessage
		Error    struct{ Message string }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("the gateway answered %d: %s", status, cliutil.Plain(string(answer[:min(len(answer), 200)])))
	}
	if status != http.StatusOK {
		return exit(status, cliutil.Plain(a.Error.Message))
	}
	if len(a.Decision) > 0 && len(a.Result.Content) == 0 {
		_, err := fmt.Fprintln(env.Out, string(a.Decision))
		return err
	}
	for _, c := range a.Result.Content {
		text := c.Text
		if c.Type != "text" {
			text = "[" + c.Type + " " + c.MimeType + "]"
		}
		if _, err := fmt.Fprintln(env.Out, text); err != nil {
			return err
		}
	}
	return nil
}
