package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/problem"
	"github.com/chitin-sh/chitin/internal/yamlconf"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/all"
	"github.com/chitin-sh/chitin/sandbox/workspace"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// rooms is what a reload replaces as one.
type rooms struct {
	loaded *config.Loaded
	engine *toolpolicy.Engine
	boxes  map[string]sandbox.Config // effective, by agent
}

// sandbox is the effective sandbox configuration of an agent.
func (r *rooms) sandbox(agent string) sandbox.Config {
	if c, ok := r.boxes[agent]; ok {
		return c
	}
	return r.loaded.SandboxOf(agent)
}

// openRooms makes the sandbox manager, the tools and the corridor.
func (a *App) openRooms(ctx context.Context, l *config.Loaded) error {
	if err := a.openTools(); err != nil {
		return err
	}
	if err := a.openServers(ctx, l); err != nil {
		return err
	}
	r, err := compile(l, a.toolNames())
	if err != nil {
		return err
	}
	a.live.Store(r)
	a.boxes = sandbox.NewManager(sandbox.ManagerOptions{
		StateDir:  a.opts.StateDir,
		Backends:  all.Backends(a.opts.StateDir),
		ConfigFor: func(agent string) sandbox.Config { return a.live.Load().sandbox(agent) },
		BindRoots: a.bindRoots,
		Log:       a.log,
		OnEvent:   a.boxEvent,
		Recover:   recoverWorkspace,
	})
	a.undo.add("sandboxes", a.boxes.Shutdown)
	a.undo.add("MCP servers", a.servers.Close)
	if a.once, err = invoke.NewOnce(ctx, a.db); err != nil {
		return err
	}
	if err := a.openApprovals(ctx, l); err != nil {
		return err
	}
	a.runner = invoke.New(a.deps(r, a.once))
	return a.openAgents(ctx)
}

func (a *App) deps(r *rooms, once *invoke.Once) invoke.Deps {
	return invoke.Deps{
		Tools: a.tools, Mounts: a.servers, Policy: policy{r.engine}, Places: places{a.boxes, a, new(recent)}, Approvals: a.approvals,
		Sealer: sealer{r.loaded.External}, Redactor: a.redactor, Sessions: a.sessions, Journal: a.journal,
		Agents: newAgents(r.loaded), Once: once, Log: a.log,
	}
}

func (a *App) openTools() (err error) {
	a.tools, err = tool.NewRegistry(a.toolList()...)
	return err
}

// recoverWorkspace repairs a workspace as the user of its box.
func recoverWorkspace(dir, intent, user string) error {
	o := workspace.Options{Workdir: sandbox.Workdir, IntentDir: intent}
	if uid, gid, ok := strings.Cut(user, ":"); ok && os.Getuid() == 0 {
		var err1, err2 error
		o.UID, err1 = strconv.Atoi(uid)
		o.GID, err2 = strconv.Atoi(gid)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
	}
	return workspace.Recover(dir, o)
}

// bindRoots are the directories that configured binds may come from.
func (a *App) bindRoots() []string {
	l := a.live.Load().loaded
	var out []string
	for _, id := range l.AgentIDs() {
		if c, _ := l.Agent(id); c.Workspace != "" {
			out = append(out, c.Workspace)
		}
	}
	return append(out, filepath.Join(a.opts.StateDir, "workspaces"))
}

// workspace is the directory of an agent for workspaceAccess ro and rw.
func (a *App) workspace(tenant, agent string) string {
	if c, ok := a.live.Load().loaded.Agent(agent); ok && c.Workspace != "" {
		return c.Workspace
	}
	return filepath.Join(a.opts.StateDir, "workspaces", tenant, agent)
}

// compile makes the policy of a configuration.
func compile(l *config.Loaded, tools []string) (*rooms, error) {
	src := toolpolicy.Source{
		Config: l.Tools, Gateway: l.Gateway.Tools, KnownTools: tools, Servers: serverNames(l), Line: l.Line,
		Agents: map[string]toolpolicy.AgentConfig{}, SandboxTools: map[string]*toolpolicy.Policy{"": sandboxTools(l.Agents.Defaults)},
		ReadFile: func(name string) ([]byte, error) { return readBeside(l.Path, name) },
	}
	for id, agent := range l.Agents.Entries {
		src.Agents[id] = agent.Tools
		if p := sandboxTools(agent); p != nil {
			src.SandboxTools[id] = p
		}
	}
	commands, bad := shell.New(shell.Options{Patterns: l.Tools.Exec.Allowlist, SafeBins: l.Tools.Exec.SafeBins, TrustedDirs: l.Tools.Exec.TrustedDirs})
	src.Commands = commands
	engine, problems := toolpolicy.Compile(src)
	for _, b := range bad {
		problems = append(problems, problem.Problem{Path: "tools.exec.allowlist", Message: b, Warning: true})
	}
	issues := place(l, problems)
	if len(issues) > 0 {
		return nil, &config.InvalidError{Issues: issues}
	}
	r := &rooms{loaded: l, engine: engine, boxes: map[string]sandbox.Config{}}
	for _, id := range l.AgentIDs() {
		r.boxes[id] = l.SandboxOf(id)
	}
	serverConfigs(r.boxes, l)
	return r, nil
}

// place gives the errors among problems their lines and keeps warnings with
// the configuration.
func place(l *config.Loaded, problems []problem.Problem) []yamlconf.Issue {
	var bad []yamlconf.Issue
	for _, p := range problems {
		at := l.Doc.At(p.Path)
		is := yamlconf.Issue{File: l.Path, Line: at.Line, Column: at.Column, Path: p.Path, Message: p.Message, Hint: p.Hint, Warning: p.Warning}
		if p.Warning {
			l.Warnings = append(l.Warnings, is)
		} else {
			bad = append(bad, is)
		}
	}
	return bad
}

func sandboxTools(a config.Agent) *toolpolicy.Policy {
	t := a.Sandbox.Tools
	if t.Allow == nil && t.Deny == nil {
		return nil
	}
	return &toolpolicy.Policy{Allow: t.Allow, Deny: t.Deny}
}

// maxRules is the largest rule file.
const maxRules = 4 << 20

// readBeside reads a file named relative to the configuration.
func readBeside(configPath, name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(configPath), name)
	}
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxRules {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", name, maxRules)
	}
	return os.ReadFile(name)
}
