package mcpclient

import (
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/secrets"
)

func TestValidate(t *testing.T) {
	stdio := func(edit func(*Server)) Server {
		s := Server{Command: "srv"}
		edit(&s)
		return s
	}
	remote := func(edit func(*Server)) Server {
		s := Server{URL: "https://mcp.example.org/mcp"}
		edit(&s)
		return s
	}
	minus := -1
	for name, c := range map[string]struct {
		server Server
		want   string // part of the first problem; "" means none
	}{
		"plain command":       {stdio(func(s *Server) {}), ""},
		"plain url":           {remote(func(s *Server) {}), ""},
		"nothing":             {Server{}, "needs a command or a url"},
		"both":                {stdio(func(s *Server) { s.URL = "https://x.example" }), "has no url"},
		"headers on stdio":    {stdio(func(s *Server) { s.Headers = map[string]secrets.Field{"X": {}} }), "has no url, headers"},
		"transport":           {stdio(func(s *Server) { s.Transport = "tcp" }), `unknown value "tcp"`},
		"network":             {stdio(func(s *Server) { s.Network = "host" }), `unknown value "host"`},
		"egress without":      {stdio(func(s *Server) { s.Egress = []string{"a.example"} }), "network is none"},
		"egress with":         {stdio(func(s *Server) { s.Network, s.Egress = "egress", []string{"a.example"} }), ""},
		"relative cwd":        {stdio(func(s *Server) { s.Cwd = "x/.." }), "not an absolute"},
		"loader":              {stdio(func(s *Server) { s.Env = map[string]secrets.Field{"LD_PRELOAD": secrets.LiteralField("x")} }), "changes how every program"},
		"variable":            {stdio(func(s *Server) { s.Env = map[string]secrets.Field{"A=B": secrets.LiteralField("x")} }), "not a variable's name"},
		"literal secret":      {stdio(func(s *Server) { s.Env = map[string]secrets.Field{"API_TOKEN": secrets.LiteralField("x")} }), "looks like a secret"},
		"root":                {stdio(func(s *Server) { s.Sandbox.User = "0:0" }), "sandbox"},
		"socket":              {stdio(func(s *Server) { s.Sandbox.Binds = []string{"/var/run/docker.sock:/s:rw"} }), "sandbox"},
		"pin":                 {stdio(func(s *Server) { s.Pin = "never" }), "unknown value"},
		"timeout":             {stdio(func(s *Server) { s.TimeoutMs = -5 }), "must be between"},
		"huge results":        {stdio(func(s *Server) { s.MaxResultBytes = 1 << 40 }), "must be between"},
		"idle":                {stdio(func(s *Server) { s.IdleMinutes = &minus }), "negative"},
		"blank agent":         {stdio(func(s *Server) { s.Agents = []string{" "} }), "blank"},
		"credentials in url":  {remote(func(s *Server) { s.URL = "https://u:p@mcp.example.org/" }), "holds a user or password"},
		"token in query":      {remote(func(s *Server) { s.URL = "https://mcp.example.org/?access_token=x" }), "looks like a credential"},
		"plain http":          {remote(func(s *Server) { s.URL = "http://mcp.example.org/" }), "plain http"},
		"plain http, private": {remote(func(s *Server) { s.URL, s.AllowPrivate = "http://127.0.0.1:1/", true }), ""},
		"loopback":            {remote(func(s *Server) { s.URL = "https://127.0.0.1/" }), "this machine"},
		"localhost":           {remote(func(s *Server) { s.URL = "https://localhost/" }), "this machine"},
		"file":                {remote(func(s *Server) { s.URL = "file:///etc/passwd" }), "not an http"},
		"network on url":      {remote(func(s *Server) { s.Network = "egress" }), "not started here"},
		"protocol header":     {remote(func(s *Server) { s.Headers = map[string]secrets.Field{"mcp-session-id": {}} }), "belongs to the protocol"},
		"host header":         {remote(func(s *Server) { s.Headers = map[string]secrets.Field{"host": {}} }), "belongs to the protocol"},
		"bad header":          {remote(func(s *Server) { s.Headers = map[string]secrets.Field{"X\r\nY": {}} }), "not a header's name"},
		"literal header":      {remote(func(s *Server) { s.Headers = map[string]secrets.Field{"Authorization": secrets.LiteralField("x")} }), "looks like a secret"},
	} {
		ps := Config{Servers: map[string]Server{"x": c.server}}.Validate()
		got := ""
		if len(ps) > 0 {
			got = ps[0].Path + ": " + ps[0].Message
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for _, name := range []string{"", "A", "a_b", "a__b", "1a", "-a", "a.b", "a b", "mcp", "bundle-mcp", strings.Repeat("a", 33), "\u0430bc"} {
		if len((Config{Servers: map[string]Server{name: {Command: "x"}}}).Validate()) == 0 {
			t.Errorf("the name %q was taken", name)
		}
	}
}

func TestWhoMayUseAServer(t *testing.T) {
	var open, nobody, all Server
	nobody.Tenants, nobody.Agents = []string{}, []string{}
	all.Tenants, all.Agents = []string{"*"}, []string{"main"}
	for tenant, want := range map[string][3]bool{"default": {true, false, true}, "acme": {false, false, true}, "": {false, false, false}} {
		if got := [3]bool{open.Serves(tenant), nobody.Serves(tenant), all.Serves(tenant)}; got != want {
			t.Errorf("%q: %v", tenant, got)
		}
	}
	if !open.ServesAgent("x") || nobody.ServesAgent("x") || all.ServesAgent("x") || !all.ServesAgent("main") {
		t.Error("agents")
	}
}

func TestToolsFilter(t *testing.T) {
	f := Tools{Allow: []string{"get*", "list_*_all", "x"}, Deny: []string{"get_secret*", "*_danger"}}
	for name, want := range map[string]bool{"get": true, "get_a": true, "list_b_all": true, "list_all": false, "x": true, "xy": false, "get_secrets": false, "get_danger": false, "": false} {
		if f.Offers(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if !(Tools{}).Offers("any") || (Tools{Allow: []string{}}).Offers("any") {
		t.Error("absent means all, empty means none")
	}
}

// Nothing of the agents' sandboxes that reaches further comes along.
func TestBoxConfig(t *testing.T) {
	base := sandbox.Config{Mode: "off", Scope: "shared", WorkspaceAccess: "rw", MinTier: "container", Docker: sandbox.DockerConfig{
		Image: "base", Network: "egress", Egress: []string{"*"}, Binds: []string{"/srv:/srv:rw"}, Env: map[string]string{"A": "b"}, Memory: "1g",
		DangerouslyAllowExternalBindSources: true, DangerouslyAllowContainerNamespaceJoin: true, DangerouslyAllowReservedContainerTargets: true,
	}}
	s := Server{Command: "x", Sandbox: Box{Image: "own", Binds: []string{"/w/x:/opt/x:ro"}}}
	c := s.BoxConfig(base)
	d := c.Docker
	if c.Mode != "all" || c.Scope != "session" || c.WorkspaceAccess != "none" || c.MinTier != "container" || d.Image != "own" || d.Memory != "1g" ||
		d.Network != "none" || d.Egress != nil || len(d.Binds) != 1 || len(d.Env) != 0 || d.DangerouslyAllowExternalBindSources || d.DangerouslyAllowContainerNamespaceJoin || d.DangerouslyAllowReservedContainerTargets {
		t.Errorf("%+v", c)
	}
	s.Network, s.Egress = "egress", []string{"api.example.org"}
	if d := s.BoxConfig(base).Docker; d.Network != "egress" || len(d.Egress) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestNeeds(t *testing.T) {
	off := false
	c := Config{Servers: map[string]Server{
		"a": {Env: map[string]secrets.Field{"LEVEL": secrets.LiteralField("debug"), "TOKEN": secrets.LiteralField("t"), "REF": secrets.RefField(secrets.Ref{Source: "env", ID: "X"})}},
		"b": {Headers: map[string]secrets.Field{"Authorization": secrets.RefField(secrets.Ref{Source: "env", ID: "Y"})}},
		"c": {Enabled: &off, Env: map[string]secrets.Field{"TOKEN": secrets.LiteralField("t")}},
	}}
	var got []string
	for _, n := range c.Needs() {
		got = append(got, n.Path)
	}
	if want := "mcp.servers.a.env.REF mcp.servers.a.env.TOKEN mcp.servers.b.headers.Authorization"; strings.Join(got, " ") != want {
		t.Errorf("%v", got)
	}
}
