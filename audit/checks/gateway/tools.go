package gateway

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

// deniedOverHTTP are the tools that POST /tools/invoke refuses by default.
func deniedOverHTTP(k audit.Kind) []string {
	list := "exec spawn shell fs_write fs_delete fs_move apply_patch terminal portal sessions_spawn sessions_send" +
		" conversations_list conversations_send conversations_turn automations gateway plugins nodes computer mobile_ui openclaw"
	if k == audit.Own {
		list += " cron whatsapp_login process write edit"
	}
	return strings.Fields(list)
}

func toolsOverHTTP() []audit.Check {
	return []audit.Check{{
		ID: "gateway.tools_invoke_http.dangerous_allow", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn; critical beyond loopback or with funnel",
		Title:  "Gateway HTTP /tools/invoke re-enables dangerous tools",
		Why:    "These tools start agents, run commands or reconfigure the gateway; over HTTP one stolen token is enough to take the host.",
		Remedy: "Remove the names from gateway.tools.allow.",
		Refs:   []string{"CWE-749", "OWASP-ASI02", "AML.T0053"},
		Run: func(s *audit.Subject) []audit.Hit {
			g := view.OfGateway(s)
			var hit []string
			for _, entry := range s.Root.At("gateway.tools.allow").Strings() {
				entry = strings.ToLower(entry)
				for _, tool := range deniedOverHTTP(s.Kind) {
					if entry == tool || view.Canon(entry) == tool || strings.Contains(entry, "*") && view.Glob(entry, tool) {
						hit = append(hit, entry)
						break
					}
				}
			}
			return kit.Raise(g.Exposed || g.Tailscale == "funnel", kit.If(len(hit) > 0, "gateway.tools.allow",
				"gateway.tools.allow includes %s, which takes them off the default HTTP deny list.", kit.List(hit, 20)))
		},
		Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{gateway:{tools:{allow:["Sessions_Spawn"]}}}`, `{gateway:{tools:{allow:["cron"]}}}`, `{gateway:{tools:{allow:["*"]}}}`)),
			kit.Want(audit.Critical, kit.Cfg(`{gateway:{bind:"lan",tools:{allow:["exec"]}}}`, `{gateway:{tailscale:{mode:"funnel"},tools:{allow:["nodes"]}}}`)),
			kit.Own("gateway: {tools: {allow: [sessions_spawn]}}")),
		Quiet: kit.Join(kit.Cfg(`{gateway:{tools:{allow:["session_status"]}}}`, `{}`), kit.Own("gateway: {tools: {allow: [session_status]}}")),
	}}
}

// Nodes lists the checks of the node command lists.
func Nodes() []audit.Check {
	return []audit.Check{
		{
			ID: "gateway.nodes.deny_commands_ineffective", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "warn",
			Title:  "Some gateway.nodes.commands.deny entries are ineffective",
			Why:    "The list takes exact command names. A pattern or a misspelt name denies nothing while it looks as if it did.",
			Remedy: "Write exact command names, such as system.run or camera.snap.",
			Refs:   []string{"CWE-183"},
			Run:    ineffectiveDeny,
			Fires:  kit.Cfg(`{gateway:{nodes:{commands:{deny:["system.*"]}}}}`, `{gateway:{nodes:{commands:{deny:["system.runn"]}}}}`, `{gateway:{nodes:{commands:{deny:["group:nodes"]}}}}`),
			Quiet:  kit.Cfg(`{gateway:{nodes:{commands:{deny:["system.run","camera.snap"]}}}}`, `{gateway:{nodes:{commands:{deny:["my.own"],allow:["my.own"]}}}}`, `{}`),
		},
		{
			ID: "gateway.nodes.allow_commands_dangerous", Layer: audit.LayerGateway, On: audit.OpenClaw, Severity: "warn; critical when remote",
			Title:  "Dangerous node commands explicitly enabled",
			Why:    "They watch, record, read or send from a paired device; whoever steers the agent steers the device.",
			Remedy: "Remove them from gateway.nodes.commands.allow.",
			Refs:   []string{"CWE-250", "OWASP-ASI02"},
			Run: func(s *audit.Subject) []audit.Hit {
				list := s.Root.At("gateway.nodes.commands")
				deny := list.Get("deny").Strings()
				var hit []string
				for _, c := range dangerousNode() {
					if kit.Has(list.Get("allow").Strings(), c) && !kit.Has(deny, c) {
						hit = append(hit, c)
					}
				}
				return kit.Raise(view.OfGateway(s).Remote, kit.If(len(hit) > 0, "gateway.nodes.commands.allow",
					"gateway.nodes.commands.allow includes %s.", kit.List(hit, 20)))
			},
			Fires: kit.Join(kit.Want(audit.Warn, kit.Cfg(`{gateway:{nodes:{commands:{allow:["sms.send"]}}}}`)),
				kit.Want(audit.Critical, kit.Cfg(`{gateway:{tailscale:{mode:"serve"},nodes:{commands:{allow:["screen.record"]}}}}`))),
			Quiet: kit.Cfg(`{gateway:{nodes:{commands:{allow:["camera.snap"],deny:["camera.snap"]}}}}`, `{gateway:{nodes:{commands:{allow:["location.get"]}}}}`),
		},
	}
}

func dangerousNode() []string {
	return strings.Fields("camera.snap camera.clip camera.ptz.control screen.record contacts.add calendar.add reminders.add sms.send sms.search health.summary")
}

func knownNode() []string {
	return append(strings.Fields("camera.list camera.ptz.status location.get notifications.list notifications.actions device.info device.status"+
		" device.permissions device.health device.apps contacts.search calendar.events callLog.search reminders.list photos.latest"+
		" motion.activity motion.pedometer system.run system.run.prepare system.which system.notify system.execApprovals.get"+
		" system.execApprovals.set browser.proxy screen.snapshot desktop.stream computer.act mobile.ui.observe mobile.ui.act"+
		" talk.ptt.start talk.ptt.stop talk.ptt.cancel talk.ptt.once watch.status watch.notify canvas.present canvas.hide canvas.navigate"+
		" canvas.eval canvas.snapshot canvas.a2ui.push canvas.a2ui.pushJSONL canvas.a2ui.reset mcp.tools.call fs.read fs.write fs.list file.read file.write file.list"), dangerousNode()...)
}

func ineffectiveDeny(s *audit.Subject) []audit.Hit {
	list := s.Root.At("gateway.nodes.commands")
	known := append(knownNode(), list.Get("allow").Strings()...)
	var patterns, unknown []string
	for _, c := range list.Get("deny").Strings() {
		switch {
		case strings.ContainsAny(c, "?*[]{}(),| \t\n") || strings.HasPrefix(c, "/") || strings.HasSuffix(c, "/") ||
			strings.HasPrefix(c, "^") || strings.HasSuffix(c, "$") || strings.Contains(c, "group:"):
			patterns = append(patterns, c)
		case !kit.Has(known, c):
			unknown = append(unknown, c+suggest(c, known))
		}
	}
	if len(patterns)+len(unknown) == 0 {
		return nil
	}
	detail := "gateway.nodes.commands.deny compares exact names."
	if len(patterns) > 0 {
		detail += "\n- Pattern-like entries: " + kit.List(patterns, 20)
	}
	if len(unknown) > 0 {
		detail += "\n- Unknown command names: " + kit.List(unknown, 20)
	}
	return kit.At("gateway.nodes.commands.deny", "%s", detail)
}

// suggest names known commands that the entry may have meant: the same first
// two parts, else the nearest spelling.
func suggest(c string, known []string) string {
	parts := strings.SplitN(c, ".", 3)
	prefix := strings.Join(parts[:min(2, len(parts))], ".")
	var near []string
	best := 5
	for _, k := range known {
		if strings.HasPrefix(k, prefix) {
			near = append(near, k)
		}
	}
	if len(near) == 0 && len(c) < 64 {
		for _, k := range known {
			if d := distance(c, k); d < best {
				best, near = d, []string{k}
			} else if d == best && d < 5 {
				near = append(near, k)
			}
		}
	}
	if len(near) == 0 {
		return ""
	}
	return " (did you mean: " + strings.Join(near[:min(3, len(near))], ", ") + ")"
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost = 1 + min(diag, row[j], row[j-1])
			}
			diag, row[j] = row[j], cost
		}
	}
	return row[len(b)]
}
