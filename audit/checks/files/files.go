// Package files holds the checks of what lies on disk: who can read and change
// the configuration, the credentials and the sessions.
package files

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerFiles

// Synced lists the check of cloud folders, which runs early.
func Synced() []audit.Check {
	return []audit.Check{{
		ID: "fs.synced_dir", Layer: layer, On: audit.Both, Severity: "warn",
		Title:  "State/config path looks like a synced folder",
		Why:    "A cloud folder copies tokens and conversations to other devices and to the provider.",
		Remedy: "Move the state directory to a local disk.",
		Refs:   []string{"CWE-552"},
		Run: func(s *audit.Subject) []audit.Hit {
			p := strings.ToLower(s.StateDir + "\n" + s.ConfigPath)
			for _, name := range []string{"icloud", "dropbox", "google drive", "googledrive", "onedrive"} {
				if strings.Contains(p, name) {
					return []audit.Hit{{File: s.StateDir, Detail: "stateDir=" + audit.Show(s.StateDir) + ", configPath=" + audit.Show(s.ConfigPath)}}
				}
			}
			return nil
		},
		Fires: []audit.Example{{Config: `{}`, StateName: "Dropbox/state"}, {Config: `{}`, StateName: "My OneDrive"}}, Quiet: kit.Cfg(`{}`),
	}}
}

// mode is a hit about a path's permissions.
func mode(path string, st audit.Stat, msg string) []audit.Hit {
	want := "600"
	if st.Dir {
		want = "700"
	}
	return []audit.Hit{{File: path, Detail: fmt.Sprintf("%s mode=%03o; %s", audit.Show(path), st.Mode.Perm(), msg), Remedy: "chmod " + want + " " + audit.Show(path)}}
}

func chmod(path string, dir bool) audit.Change {
	m := uint32(0o600)
	if dir {
		m = 0o700
	}
	return audit.Change{Kind: "chmod", Path: path, Mode: m, Dir: dir}
}

// stateMode makes a check's function of the state directory's permissions.
func stateMode(msg string, bad func(st audit.Stat) bool) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		st := s.Disk.Stat(s.StateDir)
		if st.Exists && st.Dir && bad(st) {
			return mode(s.StateDir, st, msg)
		}
		return nil
	}
}

func fixState(s *audit.Subject) []audit.Change { return []audit.Change{chmod(s.StateDir, true)} }

func fixConfig(s *audit.Subject) []audit.Change { return []audit.Change{chmod(s.ConfigPath, false)} }

func modes(m map[string]uint32) []audit.Example { return []audit.Example{{Config: `{}`, Modes: m}} }

// State lists the checks of the state directory and the configuration.
func State() []audit.Check {
	return []audit.Check{
		{
			ID: "fs.state_dir.symlink", Layer: layer, On: audit.Both, Severity: "warn", Title: "State dir is a symlink",
			Why: "Whoever can change the link decides where secrets and sessions are written.", Remedy: "Use the real path, and make sure that its parents belong to you.", Refs: []string{"CWE-59"},
			Run: func(s *audit.Subject) []audit.Hit {
				if s.Disk.Stat(s.StateDir).Link {
					return []audit.Hit{{File: s.StateDir, Detail: audit.Show(s.StateDir) + " is a symbolic link."}}
				}
				return nil
			},
			Fires: []audit.Example{{Config: `{}`, StateLink: true}}, Quiet: kit.Cfg(`{}`),
		},
		{
			ID: "fs.state_dir.perms_world_writable", Layer: layer, On: audit.Both, Severity: "critical", Title: "State dir is world-writable",
			Why: "Any account plants sessions, plugins or a configuration.", Remedy: "chmod 700 the state directory.", Refs: []string{"CWE-732"},
			Run: stateMode("other users can write into the state.", func(st audit.Stat) bool { return st.Others(0o002) }), Repair: fixState,
			Fires: modes(map[string]uint32{"state": 0o777}), Quiet: modes(map[string]uint32{"state": 0o770}),
		},
		{
			ID: "fs.state_dir.perms_group_writable", Layer: layer, On: audit.Both, Severity: "warn", Title: "State dir is group-writable",
			Why: "Every member of the group plants sessions, plugins or a configuration.", Remedy: "chmod 700 the state directory.", Refs: []string{"CWE-732"},
			Run: stateMode("group users can write into the state.", func(st audit.Stat) bool { return !st.Others(0o002) && st.Others(0o020) }), Repair: fixState,
			Fires: modes(map[string]uint32{"state": 0o770}), Quiet: modes(map[string]uint32{"state": 0o750}),
		},
		{
			ID: "fs.state_dir.perms_readable", Layer: layer, On: audit.Both, Severity: "warn", Title: "State dir is readable by others",
			Why: "Names of agents, sessions and credentials are visible, and whatever has a loose mode below.", Remedy: "chmod 700 the state directory.", Refs: []string{"CWE-732"},
			Run: stateMode("consider restricting to 700.", func(st audit.Stat) bool { return !st.Others(0o022) && st.Others(0o044) }), Repair: fixState,
			Fires: modes(map[string]uint32{"state": 0o750}), Quiet: modes(map[string]uint32{"state": 0o711}),
		},
		{
			ID: "fs.config.symlink", Layer: layer, On: audit.Both, Severity: "warn", Title: "Config file is a symlink",
			Why: "Whoever can change the link or its target decides the policy.", Remedy: "Use a regular file in the state directory.", Refs: []string{"CWE-59"},
			Run: func(s *audit.Subject) []audit.Hit {
				if s.Disk.Stat(s.ConfigPath).Link {
					return []audit.Hit{{File: s.ConfigPath, Detail: audit.Show(s.ConfigPath) + " is a symbolic link."}}
				}
				return nil
			},
			Fires: []audit.Example{{Config: `{}`, ConfigLink: true}}, Quiet: kit.Cfg(`{}`),
		},
		ladder("fs.config.perms_writable", "critical", "Config file is writable by others", "Another user can change auth and tool policies.", configFile, writable, fixConfig,
			modes(map[string]uint32{"config": 0o620}), modes(map[string]uint32{"config": 0o644})),
		ladder("fs.config.perms_world_readable", "critical", "Config file is world-readable", "It can hold tokens and private settings.", configFile, worldReadable, fixConfig,
			modes(map[string]uint32{"config": 0o644}), modes(map[string]uint32{"config": 0o640})),
		ladder("fs.config.perms_group_readable", "warn", "Config file is group-readable", "It can hold tokens and private settings.", configFile, groupReadable, fixConfig,
			modes(map[string]uint32{"config": 0o640}), modes(map[string]uint32{"config": 0o600})),
	}
}

type rung func(st audit.Stat) bool

func writable(st audit.Stat) bool      { return st.Others(0o022) }
func worldReadable(st audit.Stat) bool { return !writable(st) && st.Others(0o004) && !st.Link }
func groupReadable(st audit.Stat) bool {
	return !writable(st) && !st.Others(0o004) && st.Others(0o040) && !st.Link
}
func readable(st audit.Stat) bool { return !writable(st) && st.Others(0o044) }

func configFile(s *audit.Subject) []string { return []string{s.ConfigPath} }

// ladder makes a check of the permissions of some paths.
func ladder(id, sev, title, why string, paths func(*audit.Subject) []string, bad rung, fix func(*audit.Subject) []audit.Change, fires, quiet []audit.Example) audit.Check {
	return audit.Check{
		ID: id, Layer: layer, On: audit.Both, Severity: sev, Title: title, Why: why,
		Remedy: "chmod 600 the file, or 700 the directory.", Refs: []string{"CWE-732"}, Repair: fix,
		Run: func(s *audit.Subject) []audit.Hit {
			var out []audit.Hit
			for _, p := range paths(s) {
				if st := s.Disk.Stat(p); st.Exists && bad(st) {
					out = append(out, mode(p, st, strings.ToLower(why[:1])+why[1:])...)
				}
			}
			return out
		},
		Fires: fires, Quiet: quiet,
	}
}

func includes(s *audit.Subject) []string { return s.Includes }

// Deep lists the checks of includes, credentials, sessions and logs.
func Deep() []audit.Check {
	inc := func(m uint32) []audit.Example {
		return []audit.Example{{Config: `{$include:"./extra.json"}`, Files: map[string]string{"state/extra.json": `{logging:{level:"info"}}`}, Modes: map[string]uint32{"state/extra.json": m}}}
	}
	file := func(path string, m uint32, dir bool) []audit.Example {
		e := audit.Example{Config: `{}`, Modes: map[string]uint32{path: m}}
		if dir {
			e.Dirs = []string{path}
		} else {
			e.Files = map[string]string{path: "{}"}
		}
		return []audit.Example{e}
	}
	fixAll := func(paths func(*audit.Subject) []string) func(*audit.Subject) []audit.Change {
		return func(s *audit.Subject) []audit.Change {
			var out []audit.Change
			for _, p := range paths(s) {
				if st := s.Disk.Lstat(p); st.Exists && st.Others(0o077) {
					out = append(out, chmod(p, st.Dir))
				}
			}
			return out
		}
	}
	auth, store := "state/agents/main/agent/auth-profiles.json", "state/agents/main/sessions/sessions.json"
	log := func(m uint32) []audit.Example {
		return []audit.Example{{Config: `{logging:{file:"@ROOT@/gw.log"}}`, Files: map[string]string{"gw.log": "x\n"}, Modes: map[string]uint32{"gw.log": m}}}
	}
	return []audit.Check{
		ladder("fs.config_include.perms_writable", "critical", "Config include file is writable by others", "Another user can change auth and tool policies through it.", includes, writable, fixAll(includes), inc(0o666), inc(0o644)),
		ladder("fs.config_include.perms_world_readable", "critical", "Config include file is world-readable", "Includes can hold tokens and private settings.", includes, worldReadable, fixAll(includes), inc(0o644), inc(0o640)),
		ladder("fs.config_include.perms_group_readable", "warn", "Config include file is group-readable", "Includes can hold tokens and private settings.", includes, groupReadable, fixAll(includes), inc(0o640), inc(0o600)),
		ladder("fs.credentials_dir.perms_writable", "critical", "Credentials dir is writable by others", "Another user can drop or change credential files.", credentials, writable, fixAll(credentials), file("state/credentials", 0o775, true), file("state/credentials", 0o755, true)),
		ladder("fs.credentials_dir.perms_readable", "warn", "Credentials dir is readable by others", "Names of credentials and allow lists are visible.", credentials, readable, fixAll(credentials), file("state/credentials", 0o755, true), file("state/credentials", 0o700, true)),
		ladder("fs.auth_profiles.perms_writable", "critical", "An agent's credential file is writable by others", "Another user can inject credentials.", profiles, writable, fixAll(profiles), file(auth, 0o666, false), file(auth, 0o644, false)),
		ladder("fs.auth_profiles.perms_readable", "warn", "An agent's credential file is readable by others", "It holds API keys and OAuth tokens.", profiles, readable, fixAll(profiles), file(auth, 0o644, false), file(auth, 0o600, false)),
		ladder("fs.sessions_store.perms_readable", "warn", "sessions.json is readable by others", "Routing and transcripts' names are private.", sessions, func(st audit.Stat) bool { return st.Others(0o044) }, fixAll(sessions), file(store, 0o644, false), file(store, 0o600, false)),
		ladder("fs.log_file.perms_readable", "warn", "Log file is readable by others", "Logs can hold private messages and tool output.", logFile, func(st audit.Stat) bool { return st.Others(0o044) }, fixAll(logFile), log(0o644), log(0o600)),
	}
}

func credentials(s *audit.Subject) []string {
	dir := filepath.Join(s.StateDir, "credentials")
	if d := s.Env("OPENCLAW_OAUTH_DIR"); s.Kind == audit.OpenClaw && filepath.IsAbs(d) {
		dir = d
	}
	if s.Kind == audit.Own {
		return []string{dir, filepath.Join(s.StateDir, "secrets")}
	}
	return []string{dir}
}

// agentIDs are main, the default agent and every configured one.
func agentIDs(s *audit.Subject) []string {
	ids := []string{"main"}
	for _, a := range view.Agents(s) {
		if !kit.Has(ids, a.ID) && filepath.IsLocal(a.ID) && !strings.ContainsAny(a.ID, `/\`) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

func profiles(s *audit.Subject) []string {
	var out []string
	for _, id := range agentIDs(s) {
		dir := filepath.Join(s.StateDir, "agents", id, "agent")
		for _, name := range []string{"auth-profiles.json", "openclaw-agent.sqlite", "openclaw-agent.sqlite-wal", "openclaw-agent.sqlite-shm", "openclaw-agent.sqlite-journal"} {
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out
}

func sessions(s *audit.Subject) []string {
	var out []string
	for _, id := range agentIDs(s) {
		out = append(out, filepath.Join(s.StateDir, "agents", id, "sessions", "sessions.json"))
	}
	return out
}

func logFile(s *audit.Subject) []string {
	p := s.Root.At("logging.file").Text()
	if p == "" {
		return nil
	}
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		p = filepath.Join(s.Home, rest)
	}
	if !filepath.IsAbs(p) {
		return nil
	}
	return []string{p}
}
