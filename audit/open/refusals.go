package open

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

// refusals lists what OpenClaw 2026.9 refuses at its start, as far as it
// matters for security. Its own audit gives no report for such a file.
func refusals(s *audit.Subject) []audit.Issue {
	r := &refuser{root: s.Root}
	r.oneOf("gateway.bind", "auto lan loopback custom tailnet")
	r.oneOf("gateway.mode", "local remote")
	r.oneOf("gateway.auth.mode", "token password trusted-proxy none")
	r.oneOf("gateway.tailscale.mode", "off serve funnel")
	r.oneOf("discovery.mdns.mode", "off minimal full")
	for _, key := range []string{"maxAttempts", "windowMs", "lockoutMs"} {
		r.number("gateway.auth.rateLimit." + key)
	}
	r.number("gateway.port")
	r.unknown("tools.policy")
	r.unknown("logging.redactSensitive")
	r.unknown("hooks.internal.installs")
	r.unknown("plugins.installs")
	r.exec("tools.exec", s.Root.At("tools.exec"))
	r.sandbox("agents.defaults.sandbox", s.Root.At("agents.defaults.sandbox"))
	r.agents()
	if ts := r.root.At("gateway.tailscale.mode").Text(); (ts == "serve" || ts == "funnel") && r.root.At("gateway.auth.mode").Text() == "none" {
		r.add("gateway.auth.mode", "none cannot be combined with tailscale "+ts)
	}
	return r.out
}

type refuser struct {
	root *audit.Node
	out  []audit.Issue
}

func (r *refuser) add(path, msg string) { r.out = append(r.out, audit.Issue{Path: path, Message: msg}) }

func (r *refuser) oneOf(path, allowed string) {
	n := r.root.At(path)
	if !n.Set() {
		return
	}
	for _, a := range strings.Fields(allowed) {
		if n.Is(audit.String) && n.Str == a {
			return
		}
	}
	r.add(path, "must be one of "+strings.Join(strings.Fields(allowed), ", "))
}

func (r *refuser) number(path string) {
	if n := r.root.At(path); n.Set() && !n.Is(audit.Number) {
		r.add(path, "must be a number")
	}
}

func (r *refuser) unknown(path string) {
	if r.root.At(path) != nil {
		r.add(path, "no key of this version")
	}
}

func (r *refuser) exec(at string, n *audit.Node) {
	if n.Get("mode").Set() && (n.Get("security").Set() || n.Get("ask").Set()) {
		r.add(at+".mode", "cannot be combined with security or ask")
	}
}

func (r *refuser) sandbox(at string, n *audit.Node) {
	d := n.Get("docker")
	for _, key := range []string{"seccompProfile", "apparmorProfile"} {
		if strings.EqualFold(d.Get(key).Text(), "unconfined") {
			r.add(at+".docker."+key, "unconfined is refused")
		}
	}
	mode := strings.ToLower(d.Get("network").Text())
	if mode == "host" || strings.HasPrefix(mode, "container:") && !d.Get("dangerouslyAllowContainerNamespaceJoin").True() {
		r.add(at+".docker.network", "this network mode is refused")
	}
	for _, b := range d.Get("binds").Items() {
		if t := b.Text(); t != "" && t[0] != '/' && (len(t) < 3 || t[1] != ':') {
			r.add(at+".docker.binds", "a source that is not absolute is refused")
		}
	}
}

func (r *refuser) agents() {
	defaults, n := 0, 0
	r.root.At("agents.entries").Each(func(id string, a *audit.Node) {
		n++
		if a.Get("default").True() {
			defaults++
		}
		at := "agents.entries." + id
		r.exec(at+".tools.exec", a.At("tools.exec"))
		r.sandbox(at+".sandbox", a.Get("sandbox"))
	})
	switch {
	case defaults > 1:
		r.add("agents.entries", "more than one agent is marked default")
	case n > 1 && defaults == 0 && r.root.At("agents.ownership").Text() != "explicit":
		r.add("agents.ownership", `must be "explicit" when no agent is marked default`)
	}
}
