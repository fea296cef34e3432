// Package render writes reports: text for people, JSON, SARIF, JUnit and OCSF
// for programs. The texts of checks come from the checks themselves.
package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

// Options change how a report is written.
type Options struct {
	// Colour switches terminal colours on in text.
	Colour bool
	// Checks are the rules that the report was made with, for formats that
	// carry them.
	Checks []audit.Check
	// Next is what to type next, shown under the text.
	Next []string
	// Version is the program's version.
	Version string
	// Base is the directory that SARIF paths are relative to, where they lie
	// below it; code hosts want paths of the repository.
	Base string
}

// Formats are the names that Write understands.
func Formats() []string { return []string{"text", "json", "sarif", "junit", "ocsf"} }

// Write writes a report in a format.
func Write(w io.Writer, format string, r *audit.Report, o Options) error {
	switch format {
	case "text":
		return Text(w, r, o)
	case "json":
		return JSON(w, r)
	case "sarif":
		return SARIF(w, r, o)
	case "junit":
		return JUnit(w, r)
	case "ocsf":
		return OCSF(w, r, o)
	}
	return fmt.Errorf("unknown format %q", format)
}

// JSON writes the report as it is, indented.
func JSON(w io.Writer, r any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Text writes the report grouped by severity, worst first.
func Text(w io.Writer, r *audit.Report, o Options) error {
	var b strings.Builder
	paint := func(code, text string) string {
		if !o.Colour {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	fmt.Fprintf(&b, "%s %s\n", paint("1", "Security audit of "+r.Subject), r.Config)
	fmt.Fprintf(&b, "%d critical, %d warn, %d info\n", r.Summary.Critical, r.Summary.Warn, r.Summary.Info)
	colours := map[audit.Severity]string{audit.Critical: "1;31", audit.Warn: "33", audit.Info: "36"}
	last := audit.Severity("")
	for _, f := range audit.BySeverity(r.Findings) {
		if f.Severity != last {
			fmt.Fprintf(&b, "\n%s\n", paint(colours[f.Severity], strings.ToUpper(string(f.Severity))))
			last = f.Severity
		}
		finding(&b, f, paint)
	}
	if len(r.SuppressedFindings) > 0 {
		b.WriteString("\nACCEPTED\n")
		for _, f := range r.SuppressedFindings {
			fmt.Fprintf(&b, "  %s  %s\n", f.CheckID, reason(f.Suppression))
		}
	}
	if len(r.Skipped) > 0 {
		b.WriteString("\nNOT LOOKED AT\n")
		for _, s := range r.Skipped {
			fmt.Fprintf(&b, "  %s: %s\n", s.What, s.Why)
		}
	}
	for _, n := range o.Next {
		fmt.Fprintf(&b, "\nNext: %s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func finding(b *strings.Builder, f audit.Finding, paint func(code, text string) string) {
	fmt.Fprintf(b, "  %s  %s\n", paint("1", f.CheckID), f.Title)
	if l := f.Location; l != nil {
		b.WriteString("    at " + place(l) + "\n")
	}
	b.WriteString("    " + strings.ReplaceAll(f.Detail, "\n", "\n    ") + "\n")
	if f.Remediation != "" {
		b.WriteString("    fix: " + strings.ReplaceAll(f.Remediation, "\n", "\n    ") + "\n")
	}
}

func place(l *audit.Location) string {
	text := l.File
	if l.Line > 0 {
		text += fmt.Sprintf(":%d", l.Line)
		if l.Column > 0 {
			text += fmt.Sprintf(":%d", l.Column)
		}
	}
	if l.Key != "" {
		text += " " + l.Key
	}
	return text
}

func reason(s *audit.Suppression) string {
	if s == nil {
		return ""
	}
	parts := []string{s.Reason}
	if s.Owner != "" {
		parts = append(parts, "owner "+s.Owner)
	}
	if s.Until != "" {
		parts = append(parts, "until "+s.Until)
	}
	return strings.Join(parts, ", ")
}

// Explain writes the text of one check, the same as in the documentation.
func Explain(w io.Writer, c *audit.Check) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", c.ID, c.Title)
	fmt.Fprintf(&b, "Severity  %s\nLayer     %s\nSubject   %s\n", c.Severity, c.Layer, c.On)
	if c.Deep {
		b.WriteString("Runs      with --deep\n")
	}
	if c.Repair != nil {
		b.WriteString("Repair    --fix\n")
	}
	if len(c.Refs) > 0 {
		fmt.Fprintf(&b, "See       %s\n", strings.Join(c.Refs, ", "))
	}
	fmt.Fprintf(&b, "\n%s\n\nRemedy: %s\n", c.Why, c.Remedy)
	for _, e := range c.Fires[:min(1, len(c.Fires))] {
		if e.Config != "" && len(e.Config) < 400 {
			fmt.Fprintf(&b, "\nFires on: %s\n", e.Config)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
