// Package docs renders the pages about checks from the checks themselves, so
// that there is one text of each.
package docs

import (
	"fmt"
	"sort"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/peer"
)

const ci = `# Checks

This page is generated from the checks themselves; ` + "`chitin security audit explain <checkId>`" + ` prints the same text.

## In a pipeline

Nothing but the one binary is needed. Exit code 3 means that something was found at or above the threshold.

` + "```yaml" + `
- run: chitin security audit --openclaw . --format sarif --fail-on warn > audit.sarif
` + "```" + `

To start with what is there already and fail for what is new:

` + "```sh" + `
chitin security audit --json > audit-baseline.json
chitin security audit --baseline audit-baseline.json --fail-on warn
` + "```" + `

As a pre-commit hook, in ` + "`.git/hooks/pre-commit`" + `:

` + "```sh" + `
#!/bin/sh
exec chitin security audit --openclaw . --fail-on warn
` + "```" + `

## Accepting a finding

` + "```yaml" + `
security:
  audit:
    waivers:
      - checkId: gateway.tailscale_serve
        match: gateway.tailscale.mode   # optional: part of title, detail or place
        reason: the tailnet is ours alone
        owner: ops
        until: 2027-01-31
    severity:
      sandbox.image_unpinned: {severity: warn, reason: images come from a shared registry}
` + "```" + `

A waiver without a reason, or past its end, has no effect. One without an owner or an end, one that has expired, matches nothing or names no check is a finding of its own. Accepted findings stay in the report.

`

// RenderChecks is docs/checks.md.
func RenderChecks(checks []audit.Check) string {
	var b strings.Builder
	b.WriteString(ci)
	fmt.Fprintf(&b, "## The %d checks\n\n", len(checks))
	b.WriteString("| check | severity | subject | --deep | --fix |\n| --- | --- | --- | --- | --- |\n")
	list := append([]audit.Check(nil), checks...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	mark := func(on bool) string {
		if on {
			return "yes"
		}
		return ""
	}
	for i := range list {
		c := &list[i]
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s | %s |\n", c.ID, anchor(c.ID), c.Default(), c.On, mark(c.Deep), mark(c.Repair != nil))
	}
	for i := range list {
		c := &list[i]
		fmt.Fprintf(&b, "\n### %s\n\n", c.ID)
		fmt.Fprintf(&b, "**%s.** %s\n\n", strings.TrimSuffix(c.Title, "."), c.Why)
		fmt.Fprintf(&b, "- Severity: %s\n- Layer: %s\n", c.Severity, c.Layer)
		if len(c.Refs) > 0 {
			fmt.Fprintf(&b, "- See: %s\n", strings.Join(c.Refs, ", "))
		}
		fmt.Fprintf(&b, "- Remedy: %s\n", c.Remedy)
	}
	return b.String()
}

// anchor is the name that a heading gets on the usual code hosts.
func anchor(id string) string {
	return strings.NewReplacer(".", "", "<", "", ">", "").Replace(strings.ToLower(id))
}

// RenderDifferences is docs/audit-differences.md.
func RenderDifferences() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Where the audit of OpenClaw differs from OpenClaw's own\n\nThis page is generated. It compares `chitin security audit --openclaw` with `openclaw security audit` of %s. Every id that is not named here has the same severity and the same trigger. `go run ./audit/audittest/compare DIR` compares recorded answers of the peer case by case.\n\n", peer.Version)
	b.WriteString("## Checks\n\n| checks | OpenClaw | chitin | why |\n| --- | --- | --- | --- |\n")
	for _, d := range peer.Differences() {
		ids := make([]string, len(d.IDs))
		for i, id := range d.IDs {
			ids[i] = "`" + id + "`"
			if as := strings.NewReplacer("<channel>", "telegram", "<n>", "2").Replace(id); as != id && strings.HasPrefix(id, "channels.") && !strings.Contains(as, "<") {
				ids[i] += " (as `" + as + "`)"
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.Join(ids, ", "), d.Peer, d.Ours, d.Why)
	}
	b.WriteString("\n## Behaviour\n\n| | OpenClaw | chitin |\n| --- | --- | --- |\n")
	for _, r := range peer.Behaviour() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r[0], r[1], r[2])
	}
	return b.String()
}
