// Package secrets holds the checks of layer 4: where secrets are kept and how
// they get to those who need them.
package secrets

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerSecrets

// provider makes a check of every secret provider of a source; bad says what
// is wrong with one.
func provider(id, sev, title, why, remedy, cwe, source string, bad func(s *audit.Subject, n *audit.Node) (key, msg string), fires, quiet []audit.Example) audit.Check {
	return audit.Check{
		ID: "secrets.provider." + id, Layer: layer, On: audit.Both, Severity: sev, Title: title, Why: why, Remedy: remedy, Refs: []string{cwe},
		Run: func(s *audit.Subject) []audit.Hit {
			var out []audit.Hit
			s.Root.At("secrets.providers").Each(func(name string, n *audit.Node) {
				if source != "" && n.Get("source").Text() != source {
					return
				}
				if key, msg := bad(s, n); msg != "" {
					at := "secrets.providers." + name + "." + key
					out = append(out, kit.At(at, "%s: %s.", audit.Show(at), msg)...)
				}
			})
			return out
		},
		Fires: fires, Quiet: quiet,
	}
}

func p(text string) []audit.Example { return kit.Own("secrets: {providers: {p: {" + text + "}}}") }

// Checks lists them in the order in which they run.
func Checks() []audit.Check {
	return append(append(fileChecks(), execChecks()...), plain()...)
}

func fileChecks() []audit.Check {
	file := func(mode uint32) []audit.Example {
		return []audit.Example{{As: audit.Own, Config: "secrets: {providers: {p: {source: file, path: '@ROOT@/keys.json'}}}", Files: map[string]string{"keys.json": "{}"}, Modes: map[string]uint32{"keys.json": mode}}}
	}
	stat := func(s *audit.Subject, n *audit.Node) (string, audit.Stat) {
		path := n.Get("path").Text()
		if !filepath.IsAbs(path) {
			return path, audit.Stat{}
		}
		return path, s.Disk.Stat(path)
	}
	link := []audit.Example{{As: audit.Own, Config: "secrets: {providers: {p: {source: file, path: '@ROOT@/link'}}}", Files: map[string]string{"keys.json": "{}"}, Links: map[string]string{"link": "keys.json"}}}
	return []audit.Check{
		provider("env_no_allowlist", "info", "An environment provider may read any variable", "A reference that somebody plants in the configuration reads any key of the gateway's environment.", "List the variables in allowlist.", "CWE-668", "env",
			func(_ *audit.Subject, n *audit.Node) (string, string) {
				return "allowlist", when(!n.Get("allowlist").Is(audit.List), "there is no list")
			}, p("source: env"), p("source: env, allowlist: [A]")),
		provider("file_relative", "critical", "A secret file's path is not absolute", "Which file is read depends on where the gateway was started.", "Write the full path.", "CWE-426", "file",
			func(_ *audit.Subject, n *audit.Node) (string, string) {
				t := n.Get("path").Text()
				return "path", when(t != "" && !filepath.IsAbs(t), "it is relative")
			}, p("source: file, path: keys.json"), p("source: file, path: /etc/keys.json")),
		provider("file_missing", "warn", "A secret file is not there", "References to it fail when they are needed.", "Make the file, 0600, or remove the provider.", "CWE-1188", "file",
			func(s *audit.Subject, n *audit.Node) (string, string) {
				path, st := stat(s, n)
				return "path", when(filepath.IsAbs(path) && !st.Exists, "there is no such file")
			}, p("source: file, path: /no/such/file"), file(0o600)),
		provider("file_writable", "critical", "A secret file is writable by others", "Whoever can write it chooses which key the gateway uses.", "chmod 600 the file.", "CWE-732", "file",
			func(s *audit.Subject, n *audit.Node) (string, string) {
				_, st := stat(s, n)
				return "path", when(st.Exists && st.Others(0o022), fmt.Sprintf("mode %03o", st.Mode.Perm()))
			}, file(0o620), file(0o600)),
		provider("file_readable", "critical", "A secret file is readable by others", "Every account of the group, or of the host, has the keys.", "chmod 600 the file.", "CWE-732", "file",
			func(s *audit.Subject, n *audit.Node) (string, string) {
				_, st := stat(s, n)
				allowed := n.Get("readableBy").Text() == "all" || n.Get("readableBy").Text() == "group" && !st.Others(0o004)
				return "path", when(st.Exists && !allowed && !st.Others(0o022) && st.Others(0o044), fmt.Sprintf("mode %03o", st.Mode.Perm()))
			}, file(0o644), file(0o600)),
		provider("file_readable_by_all", "warn", "A secret file may be readable by everybody", "The rule that keeps keys to their owner is switched off.", "Remove readableBy, or use group.", "CWE-732", "file",
			func(_ *audit.Subject, n *audit.Node) (string, string) {
				return "readableBy", when(n.Get("readableBy").Text() == "all", "everybody may read it")
			}, p("source: file, path: /etc/k, readableBy: all"), p("source: file, path: /etc/k")),
		provider("file_symlink", "warn", "A secret file is a symbolic link", "Whoever can change the link chooses the key.", "Name the real file.", "CWE-59", "file",
			func(s *audit.Subject, n *audit.Node) (string, string) {
				_, st := stat(s, n)
				return "path", when(st.Link, "it is a link")
			}, link, file(0o600)),
		provider("file_directory", "critical", "A secret file's path is a directory", "No reference can be read from it.", "Name a file, or use dir.", "CWE-1188", "file",
			func(s *audit.Subject, n *audit.Node) (string, string) {
				_, st := stat(s, n)
				return "path", when(st.Dir, "it is a directory")
			}, []audit.Example{{As: audit.Own, Config: "secrets: {providers: {p: {source: file, path: '@ROOT@/d'}}}", Dirs: []string{"d"}}}, file(0o600)),
	}
}

func when(cond bool, msg string) string {
	if cond {
		return msg
	}
	return ""
}

func execChecks() []audit.Check {
	command := func(mode uint32) []audit.Example {
		return []audit.Example{{As: audit.Own, Config: "secrets: {providers: {p: {source: exec, command: '@ROOT@/get'}}}", Files: map[string]string{"get": "x"}, Modes: map[string]uint32{"get": mode}}}
	}
	return []audit.Check{
		provider("exec_relative", "critical", "A secret program's path is not absolute", "Whoever controls PATH or the directory hands out the keys, and learns which are asked for.", "Write the full path.", "CWE-426", "exec",
			func(_ *audit.Subject, n *audit.Node) (string, string) {
				t := n.Get("command").Text()
				return "command", when(t != "" && !filepath.IsAbs(t), "it is relative")
			}, p("source: exec, command: op"), p("source: exec, command: /usr/bin/op")),
		provider("exec_shell", "warn", "A secret program is a shell", "What is in the arguments is run as code, also what comes from a reference.", "Name the program itself.", "CWE-78", "exec",
			func(_ *audit.Subject, n *audit.Node) (string, string) {
				return "command", when(kit.Has([]string{"sh", "bash", "dash", "zsh", "ksh", "fish", "env", "busybox"}, filepath.Base(n.Get("command").Text())), "it is a shell")
			}, p("source: exec, command: /bin/sh, args: ['-c', x]"), p("source: exec, command: /usr/bin/op")),
		provider("exec_writable", "critical", "A secret program can be changed by others", "Whoever can change it gets every key.", "chmod go-w the program.", "CWE-732", "exec",
			func(s *audit.Subject, n *audit.Node) (string, string) {
				path := n.Get("command").Text()
				if !filepath.IsAbs(path) {
					return "", ""
				}
				st := s.Disk.Stat(path)
				return "command", when(st.Exists && st.Others(0o022), fmt.Sprintf("mode %03o", st.Mode.Perm()))
			}, command(0o777), command(0o700)),
		provider("exec_passes_everything", "warn", "A secret program gets many of the gateway's variables", "It sees keys that are none of its business.", "List the one or two that it needs.", "CWE-526", "exec",
			func(_ *audit.Subject, n *audit.Node) (string, string) {
				list := n.Get("passEnv").Strings()
				return "passEnv", when(kit.Has(list, "*") || len(list) > 10, fmt.Sprintf("%d variables", len(list)))
			}, p("source: exec, command: /usr/bin/op, passEnv: ['*']"), p("source: exec, command: /usr/bin/op, passEnv: [HOME]")),
		provider("exec_secret_args", "critical", "A secret stands in a program's arguments", "Every account of the host sees arguments in the process list.", "Pass it in passEnv or a file.", "CWE-214", "exec",
			func(_ *audit.Subject, n *audit.Node) (string, string) {
				for _, a := range n.Get("args").Strings() {
					if name, v, ok := strings.Cut(a, "="); ok && v != "" && secretKey(strings.TrimLeft(name, "-")) {
						return "args", "it has " + audit.Show(name)
					}
				}
				return "", ""
			}, p("source: exec, command: /usr/bin/op, args: ['--token=abc']"), p("source: exec, command: /usr/bin/op, args: ['--vault=x']")),
		provider("timeout_long", "info", "A secret may take longer than 30 seconds", "Calls that need it hang for as long.", "Set timeoutMs to 5000.", "CWE-400", "",
			func(_ *audit.Subject, n *audit.Node) (string, string) {
				v, ok := n.Get("timeoutMs").Num()
				return "timeoutMs", when(ok && v > 30_000, "more than 30 seconds")
			}, p("source: exec, command: /usr/bin/op, timeoutMs: 60000"), p("source: exec, command: /usr/bin/op, timeoutMs: 5000")),
	}
}

func secretKey(k string) bool {
	k = strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(k))
	for _, end := range []string{"token", "secret", "password", "passwd", "apikey", "privatekey", "accesskey", "credential", "clientsecret"} {
		if strings.HasSuffix(k, end) {
			return true
		}
	}
	return false
}

func plain() []audit.Check {
	return []audit.Check{
		{ID: "secrets.plaintext_in_config", Layer: layer, On: audit.Own, Severity: "warn", Title: "A secret stands in the configuration as text",
			Why: "The file is copied, backed up and shown in screen shots.", Remedy: "Put it into a provider (chitin secrets) and write a reference: ${NAME} or {source, provider, id}.", Refs: []string{"CWE-312", "CWE-798"},
			Run: func(s *audit.Subject) []audit.Hit {
				var out []audit.Hit
				s.Root.Walk("", func(path string, n *audit.Node) bool {
					n.Each(func(k string, v *audit.Node) {
						at := strings.TrimPrefix(path+"."+k, ".")
						known := at == "gateway.auth.token" || at == "gateway.auth.password" || at == "hooks.token" || strings.Contains(path, "docker.env")
						if !known && secretKey(k) && v.Text() != "" && !v.FromEnv() && !view.Reference(v.Text()) && len(out) < 50 {
							out = append(out, kit.At(at, "%s is written as text.", audit.Show(at))...)
						}
					})
					return true
				})
				return out
			}, Fires: kit.Cfg("models: {openai: {apiKey: abc123}}"), Quiet: kit.Cfg("models: {openai: {apiKey: '${OPENAI}'}}", "models: {openai: {apiKey: {source: env, id: K}}}", "{}")},
		{ID: "secrets.ref_unknown_provider", Layer: layer, On: audit.Both, Severity: "warn", Title: "A secret reference names a provider that is not configured",
			Why: "It fails when it is needed, at night perhaps.", Remedy: "Configure the provider below secrets.providers, or correct the name.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				var out []audit.Hit
				known := s.Root.At("secrets.providers")
				s.Root.Walk("", func(path string, n *audit.Node) bool {
					src, name := n.Get("source"), n.Get("provider").Text()
					if strings.HasPrefix(path, "secrets.providers") {
						return false
					}
					if src.Text() != "" && n.Get("id").Set() && name != "" && name != "default" && name != "state" && !known.Get(name).Set() && len(out) < 50 {
						out = append(out, kit.At(path, "%s names the provider %s.", audit.Show(path), audit.Show(name))...)
					}
					return true
				})
				return out
			}, Fires: kit.Cfg(`{gateway:{auth:{token:{source:"file",provider:"vault",id:"/t"}}}}`), Quiet: kit.Cfg(`{gateway:{auth:{token:{source:"file",provider:"vault",id:"/t"}}},secrets:{providers:{vault:{source:"file",path:"/x"}}}}`, `{}`)},
		{ID: "secrets.ref_shadowed", Layer: layer, On: audit.Both, Severity: "warn", Title: "An environment variable may stand in for a configured secret",
			Why: "Two sources for one secret: after a rotation one of them is old, and nobody knows which is used.", Remedy: "Unset the variable.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				n := s.Root.At("gateway.auth.token")
				name := "CHITIN_GATEWAY_TOKEN"
				if s.Kind == audit.OpenClaw {
					name = "OPENCLAW_GATEWAY_TOKEN"
				}
				id := n.Get("id").Text()
				ref := n.Is(audit.Map) && id != ""
				return kit.If(ref && s.Env(name) != "" && id != name, "gateway.auth.token", "gateway.auth.token is a reference and %s is set as well.", name)
			}, Fires: []audit.Example{{Config: `{gateway:{auth:{token:{source:"file",id:"value"}}}}`, Env: map[string]string{"OPENCLAW_GATEWAY_TOKEN": "x"}}}, Quiet: kit.Cfg(`{gateway:{auth:{token:{source:"file",id:"value"}}}}`, `{}`)},
		{ID: "secrets.store_passphrase_in_env", Layer: layer, On: audit.Own, Severity: "info", Title: "The store's passphrase comes from the environment",
			Why: "Every child process and every crash report may hold it.", Remedy: "Set secrets.store.key to keyring or file.", Refs: []string{"CWE-526"},
			Run: func(s *audit.Subject) []audit.Hit {
				return kit.If(s.Root.At("secrets.store.key").Text() == "passphrase" && s.Env("CHITIN_STORE_PASSPHRASE") != "", "secrets.store.key", "CHITIN_STORE_PASSPHRASE is set.")
			}, Fires: []audit.Example{{Config: "secrets: {store: {key: passphrase}}", Env: map[string]string{"CHITIN_STORE_PASSPHRASE": "x"}}}, Quiet: kit.Cfg("secrets: {store: {key: file}}", "{}")},
	}
}
