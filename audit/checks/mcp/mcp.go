// Package mcp holds the checks of MCP servers that chitin uses itself.
package mcp

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

// server makes a check of every enabled server.
func server(id, sev, title, why, remedy, cwe string, layer audit.Layer, bad func(n *audit.Node) (key, msg string), fires, quiet []audit.Example) audit.Check {
	return audit.Check{
		ID: "mcp." + id, Layer: layer, On: audit.Own, Severity: sev, Title: title, Why: why, Remedy: remedy, Refs: []string{cwe},
		Run:   kit.Servers(bad),
		Fires: fires, Quiet: quiet,
	}
}

func s(text string) []audit.Example { return kit.Own("mcp: {servers: {x: {" + text + "}}}") }

// Checks lists them in the order in which they run.
func Checks() []audit.Check {
	return []audit.Check{
		server("stdio_egress", "warn", "An MCP server's program may reach every public host",
			"Whatever it is given, or takes from its secrets, it can send anywhere.", "List the hosts that it needs in egress.", "CWE-1327", audit.LayerSandbox,
			func(n *audit.Node) (string, string) {
				if n.Get("network").Text() == "egress" && !n.Get("egress").Set() {
					return "network", "egress, and no hosts are listed"
				}
				return "", ""
			}, s("command: srv, network: egress"), kit.Join(s("command: srv"), s("command: srv, network: egress, egress: [api.example.org]"), s("command: srv, network: egress, enabled: false"))),
		server("literal_header", "warn", "A credential for an MCP server stands in the configuration as text",
			"The file is copied, backed up and shown in screen shots.", "Write a reference: ${NAME} or {source, provider, id}.", "CWE-312", audit.LayerSecrets,
			func(n *audit.Node) (key, msg string) {
				n.Get("headers").Each(func(name string, v *audit.Node) {
					up := strings.ToUpper(name)
					secret := strings.Contains(up, "AUTH") || strings.Contains(up, "TOKEN") || strings.Contains(up, "KEY") || strings.Contains(up, "COOKIE") || strings.Contains(up, "SECRET")
					if key == "" && secret && v.Text() != "" && !v.FromEnv() && !view.Reference(v.Text()) {
						key, msg = "headers."+name, "it is written as text"
					}
				})
				return key, msg
			}, s("url: 'https://mcp.example.org/', headers: {Authorization: 'Bearer abc'}"),
			kit.Join(s("url: 'https://mcp.example.org/', headers: {Authorization: '${TOKEN}', X-Region: eu}"), s("url: 'https://mcp.example.org/', headers: {Authorization: {source: env, id: T}}"))),
		server("first_use", "info", "An MCP server's first tools are approved without being looked at",
			"What it says of them at its first contact goes to models as it is.", "Leave pin out, and look with chitin mcp diff before chitin mcp approve.", "CWE-345", audit.LayerExternal,
			func(n *audit.Node) (string, string) {
				if n.Get("pin").Text() == "first-use" {
					return "pin", "first-use"
				}
				return "", ""
			}, s("command: srv, pin: first-use"), kit.Join(s("command: srv"), s("command: srv, pin: approve"))),
	}
}
