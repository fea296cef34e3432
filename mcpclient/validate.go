package mcpclient

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/internal/problem"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/secrets"
)

// Bounds of the configuration.
const (
	maxServers   = 128
	maxTimeoutMs = 30 * 60 * 1000
	maxResult    = 16 << 20
)

// Validate is what is wrong with the configuration.
func (c Config) Validate() []problem.Problem {
	var v checker
	if len(c.Servers) > maxServers {
		v.bad("servers", fmt.Sprintf("more than %d servers", maxServers), "remove those that nobody uses")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Servers)) {
		v.at = "servers." + name
		if !ValidServer(name) {
			v.bad("", "is not a server name", "use lower-case letters, digits and -, a letter first, at most 32")
		}
		v.server(c.Servers[name])
	}
	return v.found
}

type checker struct {
	at    string
	found []problem.Problem
}

func (v *checker) add(key, msg, hint string, warning bool) {
	p := v.at
	if p == "" {
		p = key
	} else if key != "" {
		p += "." + key
	}
	v.found = append(v.found, problem.Problem{Path: p, Message: msg, Hint: hint, Warning: warning})
}

func (v *checker) bad(key, msg, hint string)  { v.add(key, msg, hint, false) }
func (v *checker) warn(key, msg, hint string) { v.add(key, msg, hint, true) }

func (v *checker) oneOf(key, got string, want ...string) {
	if got != "" && !slices.Contains(want, got) {
		v.bad(key, fmt.Sprintf("unknown value %q", got), "use "+strings.Join(want, ", "))
	}
}

func (v *checker) server(s Server) {
	v.oneOf("transport", s.Transport, Stdio, HTTP, SSE)
	v.oneOf("network", s.Network, "none", "egress")
	v.oneOf("pin", s.Pin, PinApprove, PinFirstUse)
	v.within("timeoutMs", s.TimeoutMs, 100, maxTimeoutMs)
	v.within("startTimeoutMs", s.StartTimeoutMs, 100, maxTimeoutMs)
	v.within("maxResultBytes", s.MaxResultBytes, 1024, maxResult)
	if s.IdleMinutes != nil && *s.IdleMinutes < 0 {
		v.bad("idleMinutes", "must not be negative", "write 0 for never")
	}
	for _, l := range []struct {
		key  string
		list []string
	}{{"tools.allow", s.Tools.Allow}, {"tools.deny", s.Tools.Deny}, {"agents", s.Agents}, {"tenants", s.Tenants}, {"egress", s.Egress}} {
		if slices.ContainsFunc(l.list, func(e string) bool { return strings.TrimSpace(e) != e || e == "" }) {
			v.bad(l.key, "an entry is blank or has blanks around it", "remove it; it matches nothing")
		}
	}
	if s.Kind() == Stdio {
		v.stdio(s)
	} else {
		v.remote(s)
	}
}

func (v *checker) within(key string, n, least, most int) {
	if n != 0 && (n < least || n > most) {
		v.bad(key, fmt.Sprintf("must be between %d and %d", least, most), "leave it out for the default")
	}
}

func (v *checker) stdio(s Server) {
	if s.Command == "" || strings.ContainsAny(s.Command, "\x00\n") {
		v.bad("command", "a stdio server needs a command", "name the program, and its arguments in args")
	}
	if s.URL != "" || len(s.Headers) > 0 || s.AllowPrivate || s.OAuth != (OAuth{}) {
		v.bad("url", "a stdio server has no url, headers, oauth or allowPrivate", "keep either command or url")
	}
	if s.Cwd != "" && (!path.IsAbs(s.Cwd) || path.Clean(s.Cwd) != s.Cwd) {
		v.bad("cwd", "is not an absolute, clean path inside the sandbox", "write it from / without ..")
	}
	if s.Egress != nil && s.Network != "egress" {
		v.bad("egress", "hosts are listed and network is none", "write network: egress, or remove the list")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		v.env(name, s.Env[name])
	}
	for _, p := range s.BoxConfig(sandbox.Config{}).Resolve().Validate() {
		v.add("sandbox", strings.TrimPrefix(p.Path, "docker.")+": "+p.Message, p.Hint, p.Warning)
	}
}

func (v *checker) env(name string, f secrets.Field) {
	ok := name != "" && len(name) <= 128
	for i := range len(name) {
		c := name[i]
		ok = ok && (c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || i > 0 && c >= '0' && c <= '9')
	}
	switch {
	case !ok:
		v.bad("env."+name, "is not a variable's name", "use letters, digits and _")
	case strings.HasPrefix(name, "LD_"):
		v.bad("env."+name, "changes how every program is loaded", "put what is needed into the image")
	case f.IsLiteral() && SecretName(name):
		v.warn("env."+name, "looks like a secret in plain text", "write a reference: "+name+": ${"+strings.ToUpper(name)+"}")
	}
}

func (v *checker) remote(s Server) {
	if s.Command != "" || len(s.Args) > 0 || len(s.Env) > 0 || s.Cwd != "" || s.Network != "" || s.Egress != nil {
		v.bad("command", "an http or sse server is not started here", "keep either command or url")
	}
	u, err := url.Parse(s.URL)
	switch {
	case s.URL == "":
		v.bad("url", "a server needs a command or a url", "write command: for a program, url: for an endpoint")
		return
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Fragment != "" || u.Opaque != "":
		v.bad("url", "is not an http or https URL", "write https://host/path")
		return
	case u.User != nil:
		v.bad("url", "holds a user or password", "put the credential into headers, as a reference")
	case slices.ContainsFunc(slices.Collect(maps.Keys(u.Query())), SecretName):
		v.warn("url", "holds what looks like a credential", "put it into headers, as a reference")
	}
	if u.Scheme == "http" && !s.AllowPrivate {
		v.bad("url", "plain http can be read and changed on its way", "write https, or allowPrivate: true for a server on this machine or network")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && (a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()) && !s.AllowPrivate || u.Hostname() == "localhost" && !s.AllowPrivate {
		v.bad("url", "leads to this machine or a private network", "write allowPrivate: true if it is meant to")
	}
	if (s.OAuth.ClientID == "") != s.OAuth.ClientSecret.IsZero() {
		v.bad("oauth", "needs clientId and clientSecret", "write both, the secret as a reference")
	}
	if s.OAuth.ClientID != "" && s.Kind() == SSE {
		v.bad("oauth", "is spoken over streamable HTTP only", "use transport http, or a header")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		v.header(name, s.Headers[name])
	}
}

func (v *checker) header(name string, f secrets.Field) {
	valid := name != "" && strings.IndexFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	}) < 0
	switch {
	case !valid:
		v.bad("headers."+name, "is not a header's name", "use letters, digits and -")
	case slices.Contains([]string{"Host", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Accept", "Upgrade"}, http.CanonicalHeaderKey(name)),
		strings.HasPrefix(http.CanonicalHeaderKey(name), "Mcp-"):
		v.bad("headers."+name, "belongs to the protocol", "remove it")
	case f.IsLiteral() && SecretName(name):
		v.warn("headers."+name, "looks like a secret in plain text", "write a reference: "+name+": ${NAME}")
	}
}

// SecretName reports whether a variable or header of this name usually holds a
// secret.
func SecretName(name string) bool {
	up := strings.ToUpper(name)
	for _, w := range []string{"TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTHORIZATION", "COOKIE", "APIKEY", "API_KEY", "API-KEY", "PRIVATE_KEY", "ACCESS_KEY"} {
		if strings.Contains(up, w) {
			return true
		}
	}
	return up == "KEY" || strings.HasSuffix(up, "_KEY") || strings.HasSuffix(up, "-KEY")
}

// Need is one secret-bearing field of the configuration.
type Need struct {
	Path  string
	Field secrets.Field
}

// Needs lists the fields that a secret has to be resolved for: references, and
// texts under a name that usually holds a secret.
func (c Config) Needs() []Need {
	var out []Need
	for _, name := range slices.Sorted(maps.Keys(c.Servers)) {
		s := c.Servers[name]
		if !s.On() {
			continue
		}
		add := func(kind string, m map[string]secrets.Field) {
			for _, k := range slices.Sorted(maps.Keys(m)) {
				if f := m[k]; f.Ref != nil || f.IsLiteral() && SecretName(k) {
					out = append(out, Need{Path: SecretPath(name, kind, k), Field: f})
				}
			}
		}
		add("env", s.Env)
		add("headers", s.Headers)
		add("oauth", map[string]secrets.Field{"clientSecret": s.OAuth.ClientSecret})
	}
	return out
}

// SecretPath is where a field is in the configuration; kind is env, headers or
// oauth.
func SecretPath(server, kind, key string) string {
	return "mcp.servers." + server + "." + kind + "." + key
}
