package cli

import (
	"context"
	"sync"

	"github.com/chitin-sh/chitin/app"
	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/acpcmd"
	"github.com/chitin-sh/chitin/internal/cli/agentcmd"
	"github.com/chitin-sh/chitin/internal/cli/approvalscmd"
	"github.com/chitin-sh/chitin/internal/cli/callcmd"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/configcmd"
	"github.com/chitin-sh/chitin/internal/cli/contentcmd"
	"github.com/chitin-sh/chitin/internal/cli/doctorcmd"
	"github.com/chitin-sh/chitin/internal/cli/journalcmd"
	"github.com/chitin-sh/chitin/internal/cli/mcpcmd"
	"github.com/chitin-sh/chitin/internal/cli/policycmd"
	"github.com/chitin-sh/chitin/internal/cli/runcmd"
	"github.com/chitin-sh/chitin/internal/cli/sandboxcmd"
	"github.com/chitin-sh/chitin/internal/cli/secretscmd"
	"github.com/chitin-sh/chitin/internal/cli/securitycmd"
	"github.com/chitin-sh/chitin/internal/cli/servecmd"
	"github.com/chitin-sh/chitin/internal/cli/tokencmd"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/spf13/cobra"
)

// add lists every command, by the group that help shows it in.
func add(root *cobra.Command, env *cliutil.Env) {
	groups := []struct {
		id   string
		cmds []*cobra.Command
	}{
		{"run", []*cobra.Command{servecmd.New(env), callcmd.New(env), runcmd.New(env, runDeps(env)), mcpcmd.New(env), acpcmd.New(env), agentcmd.New(env)}},
		{"layers", []*cobra.Command{
			tokencmd.New(env), policycmd.New(env, policy(env)), approvalscmd.New(env, nil),
			sandboxcmd.New(env, sandboxcmd.Deps{Config: sandboxOf(env)}), secretscmd.New(env),
			contentcmd.New(env), securitycmd.New(env),
		}},
		{"keep", []*cobra.Command{configcmd.New(env, loadAndCompile), journalcmd.New(env), doctorcmd.New(env), versionCommand(env)}},
	}
	for _, g := range groups {
		for _, c := range g.cmds {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
}

// policy gives the policy commands the effective policy.
func policy(env *cliutil.Env) policycmd.Load {
	load := loader(env)
	return func(context.Context) (*policycmd.Loaded, error) {
		p, err := load()
		if err != nil {
			return nil, err
		}
		return &policycmd.Loaded{Engine: p.Engine, Tools: p.Tools, Facts: p.Facts, Tests: p.Tests(), Warnings: p.Warnings()}, nil
	}
}

// loadAndCompile checks a configuration as serve would.
func loadAndCompile(path string) (*config.Loaded, error) {
	p, err := app.LoadPolicy(path)
	if err != nil {
		return nil, err
	}
	return p.Loaded, nil
}

// loader compiles the policy once per command.
func loader(env *cliutil.Env) func() (*app.Policy, error) {
	return sync.OnceValues(func() (*app.Policy, error) {
		path, err := env.ConfigPath()
		if err != nil {
			return nil, err
		}
		p, err := app.LoadPolicy(path)
		if err != nil {
			return nil, cliutil.WithHint(err, "chitin config validate")
		}
		return p, nil
	})
}

// sandboxOf is the effective sandbox configuration of an agent.
func sandboxOf(env *cliutil.Env) func(agent string) (sandbox.Config, error) {
	load := loader(env)
	return func(agent string) (sandbox.Config, error) {
		p, err := load()
		if err != nil {
			return sandbox.Config{}, err
		}
		return p.Loaded.SandboxOf(agent), nil
	}
}

// runDeps lets chitin run act under the effective policy and sandbox.
func runDeps(env *cliutil.Env) runcmd.Deps {
	load := loader(env)
	return runcmd.Deps{
		Config: sandboxOf(env),
		Authorize: runcmd.Authorizer(func() (runcmd.Decider, error) {
			p, err := load()
			if err != nil {
				return nil, err
			}
			return p.Engine, nil
		}),
	}
}
