package sandbox

import (
	"path"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
)

type bind struct{ text, source, target, options string }

// drive reports a Windows path, which is absolute in its own way.
func drive(p string) bool {
	return len(p) > 2 && p[1] == ':' && (p[2] == '\\' || p[2] == '/') && (p[0]|0x20) >= 'a' && (p[0]|0x20) <= 'z'
}

func parseBind(text string) bind {
	b := bind{text: text}
	rest := text
	if drive(text) {
		b.source, rest = text[:2], text[2:]
	}
	src, rest, _ := strings.Cut(rest, ":")
	b.source += src
	b.target, b.options, _ = strings.Cut(rest, ":")
	return b
}

// binds makes a check's function with one hit a bind that bad says true for.
func binds(bad func(b bind) (string, bool)) func(*audit.Subject) []audit.Hit {
	return func(s *audit.Subject) []audit.Hit {
		return kit.Sandboxes(s, func(at string, sb *audit.Node) []audit.Hit {
			var out []audit.Hit
			for i, n := range sb.At("docker.binds").Items() {
				if !n.Is(audit.String) {
					continue
				}
				b := parseBind(n.Text())
				if msg, hit := bad(b); hit {
					out = append(out, kit.At(at+".docker.binds["+strconv.Itoa(i)+"]", "%s.docker.binds contains %q: %s.", at, audit.Show(b.text), msg)...)
				}
			}
			return out
		})
	}
}

// blocked are host paths that no sandbox may see, whole or in part.
func blocked(s *audit.Subject) []string {
	out := strings.Fields("/etc /private/etc /proc /sys /dev /root /boot /run /var/run /var/run/docker.sock /private/var/run/docker.sock /run/docker.sock")
	homes := []string{s.Env("OPENCLAW_HOME"), s.Env("HOME"), s.Env("USERPROFILE"), s.Home}
	for _, h := range homes {
		if !strings.HasPrefix(h, "/") {
			continue
		}
		for _, sub := range strings.Fields(".aws .cargo .config .docker .gnupg .netrc .npm .ssh") {
			out = append(out, path.Join(h, sub))
		}
		if s.Kind == audit.Own {
			out = append(out, path.Join(h, ".kube"), path.Join(h, ".git-credentials"), path.Join(h, ".chitin"))
		}
	}
	if s.Kind == audit.Own && s.StateDir != "" {
		out = append(out, s.StateDir)
	}
	return out
}

func below(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

func blockedBinds(s *audit.Subject) []audit.Hit {
	list := blocked(s)
	return binds(func(b bind) (string, bool) {
		if !strings.HasPrefix(b.source, "/") {
			return "", false
		}
		src := path.Clean(b.source)
		for _, p := range list {
			if below(src, p) {
				return "it reaches into " + audit.Show(p), true
			}
		}
		for _, p := range list {
			if src == "/" || below(p, src) {
				return "it covers " + audit.Show(p), true
			}
		}
		// The path that the link really leads to counts as well.
		if real := s.Disk.Resolve(src); real != src && strings.HasPrefix(real, "/") {
			for _, p := range list {
				if below(real, p) || below(p, real) {
					return "it is a link into " + audit.Show(p), true
				}
			}
		}
		return "", false
	})(s)
}
