package files

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
)

// entry is one thing below the state directory with what is odd about it.
type entry struct {
	rel string
	st  audit.Stat
	typ fs.FileMode
}

type treeKey struct{}

// below walks the state directory once, without following anything, and keeps
// what one of the checks may want. OpenClaw's workspaces and packages, which
// hold other people's files, are left out.
func below(s *audit.Subject) []entry {
	return audit.Memo(s, treeKey{}, func() []entry {
		var out []entry
		s.Disk.WalkFiles(s.StateDir, func(rel string, e audit.Entry) (bool, bool) {
			st := s.Disk.Lstat(filepath.Join(s.StateDir, rel))
			loose := st.Mode.Perm()&0o077 != 0 || st.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0
			if loose || st.Link || !st.Dir && !st.Regular || st.Regular && st.Links > 1 || s.Probes.Euid != nil && st.UID != s.Probes.Euid() {
				out = append(out, entry{rel, st, e.Type})
			}
			return e.Name != "node_modules" && e.Name != "workspace" && e.Name != "sandboxes" && e.Name != ".git", true
		})
		return out
	})
}

// odd makes a check of things below the state directory, on a deep run.
func odd(id, sev, title, why, remedy, cwe string, bad func(s *audit.Subject, e entry) string, fires, quiet audit.Example) audit.Check {
	return audit.Check{
		ID: "fs.state." + id, Layer: layer, On: audit.Own, Severity: sev, Deep: true, Title: title, Why: why, Remedy: remedy, Refs: []string{cwe},
		Run: func(s *audit.Subject) []audit.Hit {
			var lines []string
			first := ""
			for _, e := range below(s) {
				if msg := bad(s, e); msg != "" {
					lines = append(lines, e.rel+" ("+msg+")")
					if first == "" {
						first = filepath.Join(s.StateDir, e.rel)
					}
				}
			}
			if len(lines) == 0 {
				return nil
			}
			rest := ""
			if len(lines) > 12 {
				rest = fmt.Sprintf("\nand %d more", len(lines)-12)
			}
			return []audit.Hit{{File: first, Detail: audit.Bullets("Below "+audit.Show(s.StateDir)+":", lines[:min(12, len(lines))]) + rest}}
		},
		Fires: []audit.Example{fires}, Quiet: []audit.Example{quiet},
	}
}

func secretFile(rel string) bool {
	base := strings.ToLower(filepath.Base(rel))
	dir := strings.ToLower(filepath.Dir(rel))
	for _, part := range []string{"secret", "credential", "token", "password"} {
		if strings.Contains(base, part) || strings.Contains(dir, part) {
			return true
		}
	}
	return strings.HasSuffix(base, ".key") || strings.HasSuffix(base, ".pem") || base == ".env"
}

// Own lists the checks of our own state directory as a whole.
func Own() []audit.Check {
	file := func(rel string, m uint32) audit.Example {
		return audit.Example{Files: map[string]string{"state/" + rel: "x"}, Modes: map[string]uint32{"state/" + rel: m}, Config: "{}"}
	}
	me := audit.Probes{Euid: func() int { return -1 }} // nobody owns anything
	foreign := file("a", 0o600)
	foreign.Probes = me
	return []audit.Check{
		odd("secret_readable", "critical", "A secret file is readable by others", "Keys, tokens and certificates belong to their owner alone.", "chmod 600 the file.", "CWE-732",
			func(_ *audit.Subject, e entry) string {
				return say(e.st.Regular && secretFile(e.rel) && e.st.Others(0o044), fmt.Sprintf("mode %03o", e.st.Mode.Perm()))
			}, file("secrets.key", 0o644), file("secrets.key", 0o600)),
		odd("file_writable", "critical", "A file of the state directory is writable by others", "Whoever can write it changes sessions, policy or the journal.", "chmod 600 the file.", "CWE-732",
			func(_ *audit.Subject, e entry) string {
				return say(e.st.Regular && e.st.Others(0o022), fmt.Sprintf("mode %03o", e.st.Mode.Perm()))
			}, file("chitin.db", 0o666), file("chitin.db", 0o644)),
		odd("dir_writable", "critical", "A directory of the state is writable by others", "Whoever can write there replaces files.", "chmod 700 the directory.", "CWE-732",
			func(_ *audit.Subject, e entry) string {
				return say(e.st.Dir && e.st.Others(0o022), fmt.Sprintf("mode %03o", e.st.Mode.Perm()))
			}, audit.Example{Config: "{}", Dirs: []string{"state/journal"}, Modes: map[string]uint32{"state/journal": 0o777}}, audit.Example{Config: "{}", Dirs: []string{"state/journal"}}),
		odd("database_readable", "warn", "The state database is readable by others", "It holds sessions, approvals and encrypted secrets.", "chmod 600 the file.", "CWE-732",
			func(_ *audit.Subject, e entry) string {
				db := strings.HasSuffix(e.rel, ".db") || strings.Contains(e.rel, ".sqlite") || strings.Contains(e.rel, ".db-")
				return say(e.st.Regular && db && e.st.Others(0o044), fmt.Sprintf("mode %03o", e.st.Mode.Perm()))
			}, file("chitin.db", 0o644), file("chitin.db", 0o600)),
		odd("journal_readable", "warn", "The journal is readable by others", "It says who called what, when and from where.", "chmod 700 the journal's directory and 600 its files.", "CWE-532",
			func(_ *audit.Subject, e entry) string {
				return say(strings.HasPrefix(e.rel, "journal") && e.st.Others(0o044) && !e.st.Link, fmt.Sprintf("mode %03o", e.st.Mode.Perm()))
			}, file("journal/0001.jsonl", 0o644), file("journal/0001.jsonl", 0o600)),
		odd("setuid", "critical", "A program in the state directory runs as its owner for everybody", "A setuid file in a data directory is a back door.", "Find out who made it, and remove it.", "CWE-250",
			func(_ *audit.Subject, e entry) string {
				return say(e.st.Regular && e.st.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0, "setuid or setgid")
			}, file("x", 0o4700), file("x", 0o700)),
		odd("symlink_outside", "warn", "A link leads out of the state directory", "What is read or written there is under somebody else's control.", "Replace the link with the file.", "CWE-59",
			func(s *audit.Subject, e entry) string {
				if !e.st.Link {
					return ""
				}
				real, inside := s.Disk.RealBelow(filepath.Join(s.StateDir, e.rel), s.StateDir)
				return say(!inside, "to "+real)
			}, audit.Example{Config: "{}", Links: map[string]string{"state/out": "/etc/hosts"}}, audit.Example{Config: "{}", Files: map[string]string{"state/a": "x"}, Links: map[string]string{"state/in": "a"}}),
		odd("hard_link", "warn", "A secret file has a second name", "The other name has other parents, and may be open to others.", "Copy the file and remove the old one.", "CWE-59",
			func(_ *audit.Subject, e entry) string {
				return say(e.st.Regular && e.st.Links > 1 && secretFile(e.rel), fmt.Sprintf("%d names", e.st.Links))
			}, audit.Example{Note: "hard", Config: "{}", Files: map[string]string{"state/token": "x"}, Links: map[string]string{"state/token2": "hard:token"}}, file("token", 0o600)),
		odd("special_file", "warn", "The state directory holds a device or pipe", "Reading it hangs or does things.", "Remove it.", "CWE-66",
			func(_ *audit.Subject, e entry) string {
				return say(!e.st.Dir && !e.st.Regular && !e.st.Link && e.typ&fs.ModeSocket == 0, e.typ.String())
			}, audit.Example{Note: "fifo", Config: "{}", Links: map[string]string{"state/pipe": "fifo:"}}, file("a", 0o600)),
		odd("foreign_owner", "warn", "A file of the state belongs to another account", "That account can change it at any time.", "chown it, or find out how it came there.", "CWE-282",
			func(s *audit.Subject, e entry) string {
				return say(s.Probes.Euid != nil && e.st.UID != s.Probes.Euid() && s.Probes.Euid() != 0, fmt.Sprintf("uid %d", e.st.UID))
			}, foreign, file("a", 0o600)),
		{ID: "fs.state_dir.temporary", Layer: layer, On: audit.Own, Severity: "warn", Title: "The state directory is below a shared temporary directory",
			Why: "It is emptied by the system, and others can put things beside it.", Remedy: "Move it to a home directory or /var/lib.", Refs: []string{"CWE-379"},
			Run: func(s *audit.Subject) []audit.Hit {
				for _, tmp := range []string{"/tmp", "/var/tmp", "/dev/shm"} {
					if (s.StateDir == tmp || filepath.Dir(s.StateDir) == tmp) && s.Kind == audit.Own {
						return []audit.Hit{{File: s.StateDir, Detail: "stateDir=" + audit.Show(s.StateDir)}}
					}
				}
				return nil
			}, Fires: []audit.Example{{As: audit.Own, Config: "{}", Note: "tmp"}}, Quiet: kit.Own("{}")},
		{ID: "fs.state_dir.parent_writable", Layer: layer, On: audit.Own, Severity: "critical", Title: "A directory above the state is writable by others",
			Why: "Whoever can write there renames the state directory away and puts his own in its place.", Remedy: "chmod go-w the directory.", Refs: []string{"CWE-732"},
			Run: func(s *audit.Subject) []audit.Hit {
				for _, start := range []string{s.StateDir, filepath.Dir(s.ConfigPath)} {
					for d := filepath.Dir(start); d != "/" && d != "."; d = filepath.Dir(d) {
						if st := s.Disk.Stat(d); st.Exists && st.Others(0o022) && st.Mode&fs.ModeSticky == 0 {
							return []audit.Hit{{File: d, Detail: fmt.Sprintf("%s mode=%03o", audit.Show(d), st.Mode.Perm())}}
						}
					}
				}
				return nil
			}, Fires: []audit.Example{{Config: "{}", StateName: "open/state", Modes: map[string]uint32{"open": 0o777}}}, Quiet: kit.Cfg("{}")},
	}
}

func say(cond bool, msg string) string {
	if cond {
		return msg
	}
	return ""
}
