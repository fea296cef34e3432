package sandboxcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/sandbox"
)

// stub is a backend that only has a status.
type stub struct{ st sandbox.Status }

func (s stub) Name() string                          { return "stub" }
func (s stub) Status(context.Context) sandbox.Status { return s.st }
func (s stub) Create(context.Context, sandbox.Request) (sandbox.Box, error) {
	return nil, &sandbox.ProofError{Mismatches: []string{"uid: root"}}
}
func (s stub) Adopt(context.Context, sandbox.Request) (sandbox.Box, error) {
	return nil, sandbox.ErrGone
}
func (s stub) Sweep(context.Context, func(string) bool) (int, error) { return 0, nil }

func runWith(t *testing.T, st sandbox.Status, cfg sandbox.Config, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	env := &cliutil.Env{In: strings.NewReader(""), Out: &out, Err: &out, Getenv: os.Getenv, State: t.TempDir()}
	cmd := New(env, Deps{Config: func(string) (sandbox.Config, error) { return cfg, nil }, Backends: func(string) []sandbox.Backend { return []sandbox.Backend{stub{st}} }})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(context.Background())
	if err != nil && !errors.Is(err, context.Canceled) {
		out.WriteString(err.Error())
	}
	return out.String(), cliutil.Code(err)
}

func TestCommands(t *testing.T) {
	up := sandbox.Status{Available: true, Tier: sandbox.TierContainer, Warnings: []string{"an old runc"}}
	down := sandbox.Status{Tier: sandbox.TierContainer, Reason: "the engine sleeps"}
	for _, c := range []struct {
		name string
		st   sandbox.Status
		cfg  sandbox.Config
		args string
		want string
		code int
	}{
		{"explain", up, sandbox.Config{}, "explain", "stub, tier container", 0},
		{"explain warns", up, sandbox.Config{}, "explain", "an old runc", 0},
		{"explain without a backend", down, sandbox.Config{}, "explain", "the engine sleeps", 1},
		{"explain below the tier", up, sandbox.Config{MinTier: "gvisor"}, "explain", "below gvisor", 1},
		{"explain off", up, sandbox.Config{Mode: "off"}, "explain", "THE HOST", 0},
		{"explain danger", up, sandbox.Config{Docker: sandbox.DockerConfig{DangerouslyAllowExternalBindSources: true}}, "explain", "dangerouslyAllowExternalBindSources is on", 0},
		{"explain a watcher", up, sandbox.Config{}, "explain", "a watcher, not a quota", 0},
		{"explain whose disk", up, sandbox.Config{WorkspaceAccess: "rw"}, "explain", "does not hold for the agent's own workspace", 0},
		{"list nothing", up, sandbox.Config{}, "list", "no sandboxes", 0},
		{"list nothing as JSON", up, sandbox.Config{}, "list --json", "[]", 0},
		{"prune nothing", up, sandbox.Config{}, "prune", "0 pruned", 0},
		{"recreate what", up, sandbox.Config{}, "recreate", "which sandboxes", 2},
		{"recreate nothing", up, sandbox.Config{}, "recreate --all", "0 removed", 0},
		{"probe finds", up, sandbox.Config{}, "probe", "OPEN", 3},
		{"probe cannot", down, sandbox.Config{}, "probe", "the engine sleeps", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, code := runWith(t, c.st, c.cfg, strings.Fields(c.args)...)
			if !strings.Contains(out, c.want) || code != c.code {
				t.Fatalf("exit %d, printed %s", code, out)
			}
		})
	}
}

func TestExplainAsJSON(t *testing.T) {
	out, _ := runWith(t, sandbox.Status{Available: true, Tier: sandbox.TierContainer}, sandbox.Config{}, "explain", "--json")
	var e sandbox.Explanation
	if err := json.Unmarshal([]byte(out), &e); err != nil || e.Backend != "stub" || e.Spec == nil || e.Spec.Network != "none" || e.Profile == "" {
		t.Fatalf("%v %+v", err, e)
	}
}
