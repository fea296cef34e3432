package audit

import (
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode"
)

// Run applies every check to the subject and gives the report. Findings come
// in the order of the list, then in the order that each check gave.
func Run(s *Subject, checks []Check) *Report {
	if s.Now.IsZero() {
		s.Now = time.Now()
	}
	if s.Disk == nil {
		s.Disk = NewDisk(DefaultLimits())
	}
	s.Known = func(id string) bool { _, ok := Lookup(checks, id); return ok }
	var all []Finding
	collect := func(late bool) {
		for i := range checks {
			c := &checks[i]
			if c.On&s.Kind == 0 || c.Late != late || c.Deep && !s.Deep {
				continue
			}
			for _, h := range s.run(c) {
				all = append(all, s.dress(c, h))
			}
		}
	}
	collect(false)
	s.Waivers = readWaivers(s.Root.At("security.audit"))
	overrides := readOverrides(s.Root.At("security.audit.severity"))
	active, waived := s.waive(all, checks, overrides)
	s.Found, s.Suppressed = active, waived
	all = nil
	collect(true)
	lateActive, lateWaived := s.waive(all, checks, overrides)
	r := &Report{
		TS:                 s.Now.UnixMilli(),
		Findings:           append(active, lateActive...),
		SuppressedFindings: append(waived, lateWaived...),
		Deep:               s.deep,
		SecretDiagnostics:  s.diagnostics,
		Skipped:            s.Disk.Skips(),
		Subject:            s.Kind.String(),
		Config:             Show(s.ConfigPath),
	}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	if r.SecretDiagnostics == nil {
		r.SecretDiagnostics = []string{}
	}
	r.Count()
	return r
}

// run calls one check. A check that breaks on strange input costs its own
// answer, not the report; the report says so.
func (s *Subject) run(c *Check) (hits []Hit) {
	defer func() {
		if r := recover(); r != nil {
			hits = nil
			s.Disk.Skip("check "+c.ID, fmt.Sprintf("%s: %v", BrokenCheck, r))
		}
	}()
	return c.Run(s)
}

// BrokenCheck begins the reason of a skip that is a mistake of a check.
const BrokenCheck = "internal error"

// Count fills the summary from the findings in force.
func (r *Report) Count() {
	r.Summary = Summary{}
	for _, f := range r.Findings {
		switch f.Severity {
		case Critical:
			r.Summary.Critical++
		case Warn:
			r.Summary.Warn++
		case Info:
			r.Summary.Info++
		}
	}
}

func (s *Subject) dress(c *Check, h Hit) Finding {
	f := Finding{
		CheckID: c.ID, Severity: c.Default(), Title: c.Title, Remediation: c.Remedy,
		Layer: c.Layer, Refs: c.Refs, Detail: Clean(h.Detail),
	}
	if h.Severity != "" {
		f.Severity = h.Severity
	}
	if h.ID != "" {
		f.CheckID = Show(h.ID)
	}
	if h.Title != "" {
		f.Title = Show(h.Title)
	}
	if h.Remedy != "" {
		f.Remediation = Clean(h.Remedy)
	}
	if f.Detail == "" {
		f.Detail = c.Why
	}
	if strings.HasPrefix(f.Remediation, "Nothing to do") {
		f.Remediation = ""
	}
	f.Location = s.locate(h)
	return f
}

func (s *Subject) locate(h Hit) *Location {
	if h.File != "" {
		return &Location{File: Show(h.File), Line: h.Line}
	}
	if h.Key == "" {
		return nil
	}
	loc := &Location{File: Show(s.ConfigPath), Key: Show(h.Key)}
	if p, ok := s.Root.Locate(h.Key); ok {
		loc.File, loc.Line, loc.Column = Show(p.File), p.Line, p.Col
	}
	return loc
}

// Clean makes text safe to print on a terminal: control characters other than
// a line feed, bidirectional overrides and invisible characters become \u{…}.
func Clean(text string) string { return clean(text, true) }

// Show is Clean for one line: line feeds are escaped too, and a long text is
// cut. It is for names and values that come from the subject.
func Show(text string) string {
	const limit = 4096
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	return clean(text, false)
}

func clean(text string, lines bool) string {
	bad := func(r rune) bool {
		if r == '\n' {
			return !lines
		}
		return r == unicode.ReplacementChar || r == 0x7f || r < 0x20 || r >= 0x80 && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r))
	}
	if strings.IndexFunc(text, bad) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if bad(r) {
			const hex = "0123456789abcdef"
			b.WriteString(`\u{`)
			started := false
			for shift := 20; shift >= 0; shift -= 4 {
				d := (r >> shift) & 0xf
				if d != 0 || started || shift == 0 {
					b.WriteByte(hex[d])
					started = true
				}
			}
			b.WriteByte('}')
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Bullets writes a list under a heading, one entry a line, each made safe.
func Bullets(heading string, items []string) string {
	var b strings.Builder
	b.WriteString(heading)
	for _, it := range items {
		b.WriteString("\n- ")
		b.WriteString(Show(it))
	}
	return b.String()
}

// BySeverity orders findings worst first and keeps the order otherwise.
func BySeverity(list []Finding) []Finding {
	out := append([]Finding(nil), list...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Severity.Rank() > out[j].Severity.Rank() })
	return out
}
