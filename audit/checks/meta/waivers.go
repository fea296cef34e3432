package meta

import (
	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
)

// Late lists the checks of what was accepted, which run last.
func Late() []audit.Check {
	return []audit.Check{
		{
			ID: "security.audit.suppressions.active", Layer: layer, On: audit.Both, Severity: "info", Late: true, Unwaivable: true, Title: "Security audit suppressions configured",
			Why:    "A report with suppressions is shorter than the truth.",
			Remedy: "Look at suppressedFindings, and remove what is no longer accepted.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				n := s.Root.At("security.audit.suppressions").Len()
				return kit.If(n > 0, "security.audit.suppressions", "%d suppressions are configured; %d findings were taken out.", n, len(s.Suppressed))
			},
			Fires: kit.Cfg(`{security:{audit:{suppressions:[{checkId:"x"}]}}}`), Quiet: kit.Cfg(`{}`, `{security:{audit:{suppressions:[]}}}`),
		},
		waiverCheck("security.audit.waiver_expired", "warn", "A waiver has expired", "The risk was accepted until a day that has passed; the finding counts again.", "Fix the finding, or accept it anew with a later day.",
			func(s *audit.Subject, w *audit.Waiver) string {
				if w.Expired(s.Now) {
					return "its last day was " + audit.Show(w.Until)
				}
				return ""
			},
			`[{checkId: gateway.port_privileged, reason: r, owner: o, until: '2001-01-01'}]`, `[{checkId: gateway.port_privileged, reason: r, owner: o, until: '2999-01-01'}]`),
		waiverCheck("security.audit.waiver_unused", "info", "A waiver matches nothing", "It waits for the next finding of that id and hides it.", "Remove it.",
			func(s *audit.Subject, w *audit.Waiver) string {
				if w.Used == 0 && !w.Void && !w.Expired(s.Now) && (s.Known == nil || s.Known(w.CheckID)) {
					return "no finding of " + audit.Show(w.CheckID) + " matched"
				}
				return ""
			},
			`[{checkId: gateway.port_privileged, reason: r, owner: o, until: '2999-01-01'}]`, `[{checkId: summary.attack_surface, reason: r, owner: o, until: '2999-01-01'}]`),
		waiverCheck("security.audit.waiver_incomplete", "warn", "A waiver lacks a reason, an owner or an end", "Without them nobody can tell later whether it still holds. Without a reason it has no effect.", "Fill in checkId, reason, owner and until.",
			func(_ *audit.Subject, w *audit.Waiver) string { return w.Problem },
			`[{checkId: gateway.port_privileged}]`, `[{checkId: gateway.port_privileged, reason: r, owner: o, until: '2999-01-01'}]`),
		waiverCheck("security.audit.waiver_unknown_check", "warn", "A waiver names a check that does not exist", "It was misspelt, so what it should accept still counts, or it waits for a check to come.", "Correct the id; chitin security audit list shows all.",
			func(s *audit.Subject, w *audit.Waiver) string {
				if w.CheckID != "" && s.Known != nil && !s.Known(w.CheckID) {
					return audit.Show(w.CheckID) + " is no check"
				}
				return ""
			},
			`[{checkId: no.such.check, reason: r, owner: o, until: '2999-01-01'}]`, `[{checkId: gateway.port_privileged, reason: r, owner: o, until: '2999-01-01'}]`),
		waiverCheck("security.audit.waiver_far_end", "info", "A waiver lasts longer than a year", "An end that nobody lives to see is no end.", "Choose a day within a year and look again then.",
			func(s *audit.Subject, w *audit.Waiver) string {
				late := *w
				if w.Until != "" && !late.Expired(s.Now.AddDate(1, 0, 1)) {
					return "it ends on " + audit.Show(w.Until)
				}
				return ""
			},
			`[{checkId: gateway.port_privileged, reason: r, owner: o, until: '2999-01-01'}]`, `[{checkId: gateway.port_privileged, reason: r, owner: o, until: '2001-01-01'}]`),
		{
			ID: "security.audit.severity_override_incomplete", Layer: layer, On: audit.Own, Severity: "warn", Late: true, Title: "A severity override has no reason or no severity",
			Why: "It has no effect, although somebody relies on it.", Remedy: "Write {severity: warn, reason: …} below security.audit.severity.<checkId>.", Refs: []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				var out []audit.Hit
				s.Root.At("security.audit.severity").Each(func(id string, n *audit.Node) {
					if audit.Severity(n.Get("severity").Text()).Rank() == 0 || n.Get("reason").Text() == "" {
						out = append(out, kit.At("security.audit.severity."+id, "The override of %s needs a severity and a reason.", audit.Show(id))...)
					}
				})
				return out
			},
			Fires: kit.Cfg("security: {audit: {severity: {gateway.port_privileged: {severity: warn}}}}"), Quiet: kit.Cfg("security: {audit: {severity: {gateway.port_privileged: {severity: warn, reason: r}}}}", "{}"),
		},
	}
}

func waiverCheck(id, sev, title, why, remedy string, bad func(*audit.Subject, *audit.Waiver) string, fires, quiet string) audit.Check {
	cfg := func(list string) []audit.Example { return kit.Own("security: {audit: {waivers: " + list + "}}") }
	return audit.Check{
		ID: id, Layer: layer, On: audit.Both, Severity: sev, Late: true, Unwaivable: true, Title: title, Why: why, Remedy: remedy, Refs: []string{"CWE-1188"},
		Run: func(s *audit.Subject) []audit.Hit {
			var out []audit.Hit
			for _, w := range s.Waivers {
				if w.Peer { // the peer's suppressions have no owner and no end
					continue
				}
				if msg := bad(s, w); msg != "" {
					out = append(out, kit.At(w.Key, "%s: %s.", w.Key, msg)...)
				}
			}
			return out
		},
		Fires: cfg(fires), Quiet: cfg(quiet),
	}
}
