package app

import (
	"path/filepath"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/tool"
	toolall "github.com/chitin-sh/chitin/tool/all"
	contenttool "github.com/chitin-sh/chitin/tool/content"
	crontool "github.com/chitin-sh/chitin/tool/cron"
	"github.com/chitin-sh/chitin/tool/sessions"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Policy is the policy of a configuration without a gateway around it: what
// the policy commands and chitin run decide with.
type Policy struct {
	Engine *toolpolicy.Engine
	Tools  []string
	Loaded *config.Loaded
	rooms  *rooms
}

// LoadPolicy compiles the policy of a configuration file.
func LoadPolicy(configPath string) (*Policy, error) {
	l, err := config.Load(configPath)
	if err != nil {
		return nil, err
	}
	more := append(sessions.Tools(sessions.Deps{}), contenttool.Tools(contenttool.Deps{})...)
	reg, err := tool.NewRegistry(toolall.Tools(toolall.Deps{More: append(more, crontool.New(crontool.Deps{}))})...)
	if err != nil {
		return nil, err
	}
	r, err := compile(l, reg.Names())
	if err != nil {
		return nil, err
	}
	return &Policy{Engine: r.engine, Tools: reg.Names(), Loaded: l, rooms: r}, nil
}

// Facts says how an agent's sessions run.
func (p *Policy) Facts(agent string, main bool) (sandboxed, readOnly bool) {
	c := p.rooms.sandbox(agent)
	return c.Sandboxed(main), c.WorkspaceAccess == "ro"
}

// Tests are the rule test files as absolute paths.
func (p *Policy) Tests() []string {
	var out []string
	for _, name := range p.Loaded.Tools.Rules.Tests {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(p.Loaded.Path), name)
		}
		out = append(out, name)
	}
	return out
}

// Warnings are what the loader and the compiler found odd.
func (p *Policy) Warnings() []string {
	var out []string
	for _, w := range p.Loaded.Warnings {
		out = append(out, w.String())
	}
	return out
}
