package plugins

import (
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

// Bounds of the walk over workspaces.
const (
	maxSkillDirs  = 40_000
	maxSkillFiles = 2_000
)

// workspaces are the agents' workspaces, each once.
func workspaces(s *audit.Subject) []string {
	var out []string
	add := func(n *audit.Node) {
		p := n.Text()
		if rest, ok := strings.CutPrefix(p, "~/"); ok {
			p = filepath.Join(s.Home, rest)
		}
		if filepath.IsAbs(p) && !kit.Has(out, filepath.Clean(p)) {
			out = append(out, filepath.Clean(p))
		}
	}
	add(s.Root.At("agents.defaults.workspace"))
	for _, a := range view.Agents(s) {
		add(a.Node.Get("workspace"))
	}
	if !s.Root.At("agents.defaults.workspace").Set() {
		out = append(out, filepath.Join(s.StateDir, "workspace"))
	}
	return out
}

// skills lists the directories of skills: of workspaces and of the state
// directory.
func skills(s *audit.Subject) []extension {
	var out []extension
	for _, base := range append(workspaces(s), s.StateDir) {
		dir := filepath.Join(base, "skills")
		if !s.Disk.Lstat(dir).Dir {
			continue
		}
		for _, e := range s.Disk.List(dir) {
			p := filepath.Join(dir, e.Name)
			if e.Type.IsDir() && s.Disk.Lstat(filepath.Join(p, "SKILL.md")).Exists {
				out = append(out, extension{e.Name, p})
			}
		}
	}
	return out
}

type walkKey struct{}

type walked struct {
	outside   []string
	truncated []string
}

// walk looks at every SKILL.md below the workspaces' skills directories.
func walk(s *audit.Subject) walked {
	return audit.Memo(s, walkKey{}, func() walked {
		var w walked
		for _, ws := range workspaces(s) {
			base := filepath.Join(ws, "skills")
			if !s.Disk.Stat(base).Dir {
				continue
			}
			dirs, files := 0, 0
			check := func(p string) {
				if real, inside := s.Disk.RealBelow(p, ws); !inside && real != p {
					w.outside = append(w.outside, p+" -> "+real)
				}
			}
			if s.Disk.Lstat(base).Link { // the directory itself may lead away
				check(base)
				continue
			}
			complete := s.Disk.WalkFiles(base, func(rel string, e audit.Entry) (bool, bool) {
				p := filepath.Join(base, rel)
				switch {
				case e.Type.IsDir():
					dirs++
				case e.Name == "SKILL.md":
					files++
					if e.Type&fs.ModeSymlink != 0 {
						check(p)
					}
				case e.Type&fs.ModeSymlink != 0 && s.Disk.Lstat(filepath.Join(p, "SKILL.md")).Exists:
					check(filepath.Join(p, "SKILL.md"))
				}
				return e.Name != "node_modules" && e.Name != ".git", dirs <= maxSkillDirs && files <= maxSkillFiles
			})
			if !complete {
				w.truncated = append(w.truncated, base)
			}
		}
		return w
	})
}

// many are more skills than are looked at.
func many() map[string]string {
	out := map[string]string{}
	for i := 0; i <= maxSkillFiles; i++ {
		out["ws/skills/"+strings.Repeat("a", 1+i%40)+strings.Repeat("b", i/40)+"/SKILL.md"] = "x"
	}
	return out
}

// Workspace lists the checks of skills in workspaces.
func Workspace() []audit.Check {
	ws := `{agents:{defaults:{workspace:"@ROOT@/ws"}}}`
	return []audit.Check{
		{
			ID: "skills.workspace.symlink_escape", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "Workspace skill files resolve outside the workspace root",
			Why: "Who changes the file behind the link changes what the agent is told, from outside the workspace.", Remedy: "Copy the skill into the workspace.", Refs: []string{"CWE-59"},
			Run: func(s *audit.Subject) []audit.Hit {
				out := walk(s).outside
				if len(out) == 0 {
					return nil
				}
				return []audit.Hit{{File: strings.SplitN(out[0], " -> ", 2)[0], Detail: audit.Bullets("Links that lead out of the workspace:", out[:min(12, len(out))])}}
			},
			Fires: []audit.Example{{Config: ws, Files: map[string]string{"outside/SKILL.md": "x"}, Dirs: []string{"ws/skills/evil"}, Links: map[string]string{"ws/skills/evil/SKILL.md": "../../../outside/SKILL.md"}},
				{Config: ws, Files: map[string]string{"outside/SKILL.md": "x"}, Links: map[string]string{"ws/skills/evil": "@ROOT@/outside"}}},
			Quiet: []audit.Example{{Config: ws, Files: map[string]string{"ws/skills/good/SKILL.md": "x"}}, {Config: ws, Files: map[string]string{"ws/real/SKILL.md": "x"}, Dirs: []string{"ws/skills/a"}, Links: map[string]string{"ws/skills/a/SKILL.md": "../../real/SKILL.md"}}},
		},
		{
			ID: "skills.workspace.scan_truncated", Layer: layer, On: audit.OpenClaw, Severity: "warn", Title: "The workspace has too many skills to look at",
			Why: "What was not looked at may lead outside.", Remedy: "Keep skills in a directory of their own, and few.", Refs: []string{"CWE-1059"},
			Run: func(s *audit.Subject) []audit.Hit {
				out := walk(s).truncated
				if len(out) == 0 {
					return nil
				}
				return []audit.Hit{{File: out[0], Detail: audit.Bullets("Not looked at in full:", out)}}
			},
			Fires: []audit.Example{{Config: ws, More: many}}, Quiet: []audit.Example{{Config: ws, Files: map[string]string{"ws/skills/good/SKILL.md": "x"}}},
		},
	}
}
