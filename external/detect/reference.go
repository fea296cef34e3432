package detect

import (
	"fmt"
	"strings"
)

// Reference is the page of all rules, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Rules of detection\n\n<!-- Made from external/detect; do not edit. -->\n\n")
	b.WriteString("What each rule looks for, in texts folded to what they look like. The severity says how sure it is by itself; a rule marked *sure* flags a text that neither quotes it nor is about attacks, all others are weighed by the model. Every example is a test.\n")
	var families []Family
	byFamily := map[Family][]Rule{}
	for _, r := range Rules() {
		if byFamily[r.Family] == nil {
			families = append(families, r.Family)
		}
		byFamily[r.Family] = append(byFamily[r.Family], r)
	}
	for _, f := range families {
		fmt.Fprintf(&b, "\n## %s\n", f)
		for _, r := range byFamily[f] {
			reference(&b, r)
		}
	}
	return b.String()
}

// reference writes the paragraph of a rule.
func reference(b *strings.Builder, r Rule) {
	severity := r.Severity
	if r.Sure {
		severity += ", *sure*"
	}
	fmt.Fprintf(b, "\n### %s\n\nSeverity: %s. Patterns: %d.\n\n", r.ID, severity, len(r.Patterns))
	for _, x := range r.Fires {
		fmt.Fprintf(b, "- fires: %s\n", inline(x))
	}
	for _, x := range r.Quiet {
		fmt.Fprintf(b, "- quiet: %s\n", inline(x))
	}
}

// inline is a text as code in a line of Markdown.
func inline(s string) string {
	s = strings.ReplaceAll(s, "\n", " ⏎ ")
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}
