package toolpolicy

import (
	"path/filepath"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/tree"
	"github.com/chitin-sh/chitin/audit/view"
)

const registry = "skills/config/mcporter.json"

// skillScopes are the scopes that have a list of skills and can run commands
// outside a sandbox.
func skillScopes(s *audit.Subject) (lines []string, key string) {
	inherited := s.Root.At("agents.defaults.skills") != nil
	for _, a := range view.Contexts(s) {
		has := a.Node.Get("skills") != nil
		if a.ID == "" {
			has = inherited
		}
		if !has && !(inherited && a.Written) {
			continue
		}
		ex := view.ExecOf(s, a, "full")
		sandboxed := ex.Host == "sandbox" || ex.Host == "auto" && a.Mode(s) != "off"
		if ex.Security == "deny" || sandboxed {
			continue
		}
		lines = append(lines, a.Key+": exec.host="+ex.Host+", security="+ex.Security)
		if key == "" {
			key = a.Key + ".skills"
		}
	}
	return lines, key
}

func enabledServers(n *audit.Node) []string {
	var out []string
	n.Each(func(name string, v *audit.Node) {
		if !v.Get("enabled").False() {
			out = append(out, name)
		}
	})
	return out
}

// readRegistry gives the servers of the registry file; broken says why it could
// not be read although it is there.
func readRegistry(s *audit.Subject) (names []string, broken string) {
	path := filepath.Join(s.StateDir, registry)
	st := s.Disk.Lstat(path)
	switch {
	case !st.Exists:
		return nil, ""
	case !st.Regular:
		return nil, "not a regular file"
	case st.Size > 16<<20:
		return nil, "larger than 16 MiB"
	}
	text, err := s.Disk.Read(path)
	if err != nil {
		return nil, "unreadable"
	}
	n, err := tree.JSON5(path, text)
	if err != nil {
		return nil, "not valid JSON"
	}
	return enabledServers(n.Get("mcpServers")), ""
}

func boundary() []audit.Check {
	agent := `agents:{entries:{main:{skills:["docs"]}}}`
	reg := func(text string) []audit.Example {
		return []audit.Example{{Config: `{` + agent + `}`, Files: map[string]string{"state/" + registry: text}}}
	}
	return []audit.Check{
		{
			ID: "tools.exec.mcporter_registry_inspection_incomplete", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Global mcporter registry could not be inspected", Why: "Which MCP servers a command on the host reaches is unknown.",
			Remedy: "Make " + registry + " a regular, readable file with valid JSON, or remove it.", Refs: []string{"CWE-1059"},
			Run: func(s *audit.Subject) []audit.Hit {
				if lines, _ := skillScopes(s); len(lines) == 0 {
					return nil
				}
				if _, broken := readRegistry(s); broken != "" {
					return []audit.Hit{{File: filepath.Join(s.StateDir, registry), Detail: registry + " is " + broken + "."}}
				}
				return nil
			},
			Fires: reg(`{broken`), Quiet: kit.Join(reg(`{"mcpServers":{}}`), kit.Cfg(`{`+agent+`}`)),
		},
		{
			ID: "tools.exec.agent_skill_mcp_boundary_drift", Layer: layer, On: audit.OpenClaw, Severity: "warn",
			Title: "Agent skill allowlists do not constrain host exec MCP clients", Why: "The list of skills filters what the model sees; a command on the host starts any MCP client it likes.",
			Remedy: "Deny exec for these agents, or run them in a sandbox.", Refs: []string{"CWE-863", "OWASP-ASI04"},
			Run: func(s *audit.Subject) []audit.Hit {
				lines, key := skillScopes(s)
				names := enabledServers(s.Root.At("mcp.servers"))
				more, _ := readRegistry(s)
				names = append(names, more...)
				if len(lines) == 0 || len(names) == 0 {
					return nil
				}
				return kit.At(key, "%s\nMCP servers in reach: %s.", audit.Bullets("Scopes with a list of skills that run commands on the host:", lines[:min(8, len(lines))]), kit.List(names, 6))
			},
			Fires: kit.Join(kit.Cfg(`{`+agent+`,mcp:{servers:{jira:{command:"x"}}}}`, `{agents:{defaults:{skills:[]}},mcp:{servers:{jira:{}}}}`), reg(`{"mcpServers":{"jira":{}}}`)),
			Quiet: kit.Cfg(`{`+agent+`}`, `{`+agent+`,tools:{exec:{security:"deny"}},mcp:{servers:{jira:{}}}}`, `{`+agent+`,mcp:{servers:{jira:{enabled:false}}}}`,
				`{agents:{defaults:{sandbox:{mode:"all"}},entries:{main:{skills:[]}}},mcp:{servers:{jira:{}}}}`),
		},
	}
}

// Minimal lists the check of profiles that agents replace.
func Minimal() []audit.Check {
	return []audit.Check{{
		ID: "tools.profile_minimal_overridden", Layer: layer, On: audit.Both, Severity: "warn",
		Title: "Global tools.profile=minimal is overridden by agent profiles", Why: "An agent's own profile replaces the global one instead of narrowing it.",
		Remedy: "Set these agents' profile to minimal, or remove it.", Refs: []string{"CWE-863"},
		Run: func(s *audit.Subject) []audit.Hit {
			if s.Root.At("tools.profile").Text() != "minimal" {
				return nil
			}
			var lines []string
			key := ""
			for _, a := range view.Agents(s) {
				if p := a.Node.At("tools.profile").Text(); p != "" && p != "minimal" {
					lines = append(lines, a.Key+"="+p)
					if key == "" {
						key = a.Key + ".tools.profile"
					}
				}
			}
			if len(lines) == 0 {
				return nil
			}
			return kit.At(key, "%s", audit.Bullets("These agents have a wider profile:", lines))
		},
		Fires: kit.Cfg(`{tools:{profile:"minimal"},agents:{entries:{a:{tools:{profile:"coding"}}}}}`), Quiet: kit.Cfg(`{tools:{profile:"minimal"}}`, `{tools:{profile:"coding"},agents:{entries:{a:{tools:{profile:"full"}}}}}`),
	}}
}
