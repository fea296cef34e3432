package audit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"
)

// JSON writes the report.
func (rep *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(rep)
}

// Text writes the report for people: one line a finding and a summary.
func (rep *Report) Text(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, f := range rep.Findings {
		where := plainText(f.File)
		if f.Line > 0 {
			where = fmt.Sprintf("%s:%d:%d", where, f.Line, f.Column)
		}
		fmt.Fprintf(out, "%-5s %s  %s\n      %s\n", f.Severity, f.Code, where, plainText(f.Message))
		if f.Fix != "" {
			fmt.Fprintf(out, "      → %s\n", plainText(f.Fix))
		}
	}
	s := rep.Summary
	fmt.Fprintf(out, "%s: %d files, %d references checked", rep.Status, rep.FilesScanned, rep.Resolution.RefsChecked)
	if n := rep.Resolution.SkippedExecRefs; n > 0 {
		fmt.Fprintf(out, ", %d of programs not run (--allow-exec)", n)
	}
	fmt.Fprintf(out, "; %d in plain text, %d unresolved, %d shadowed, %d copies of stored ones, %d legacy\n", s.Plaintext, s.Unresolved, s.Shadowed, s.StoreResidue, s.Legacy)
	return out.Flush()
}

// plainText keeps file and field names that somebody else chose from driving
// the reader's terminal.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// sarif is the part of the Static Analysis Results Interchange Format 2.1.0
// that we write.
type sarif struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID     string          `json:"ruleId"`
	Level      string          `json:"level"`
	Message    sarifText       `json:"message"`
	Locations  []sarifLocation `json:"locations"`
	Properties map[string]any  `json:"properties,omitempty"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn"`
}

// SARIF writes the report for code hosts and editors.
func (rep *Report) SARIF(w io.Writer) error {
	run := sarifRun{Results: []sarifResult{}, Tool: sarifTool{sarifDriver{Name: "chitin secrets audit", InformationURI: "https://github.com/chitin-sh/chitin", Rules: []sarifRule{
		{PlaintextFound, sarifText{"A secret stands in a file in plain text."}},
		{RefUnresolved, sarifText{"A reference to a secret does not resolve."}},
		{RefShadowed, sarifText{"Something else takes effect instead of a reference."}},
		{LegacyResidue, sarifText{"A retired place of credentials is still there."}},
		{PlaceholderValue, sarifText{"A redaction mark stands where a secret should be."}},
		{StorePlaintextResidue, sarifText{"A copy of a stored secret stands in a file."}},
	}}}}
	for _, f := range rep.Findings {
		loc := sarifPhysical{Artifact: sarifArtifact{uri(f.File)}}
		if f.Line > 0 {
			loc.Region = &sarifRegion{f.Line, f.Column}
		}
		level := map[Severity]string{Error: "error", Warn: "warning", Info: "note"}[f.Severity]
		run.Results = append(run.Results, sarifResult{RuleID: f.Code, Level: level, Message: sarifText{f.Message}, Locations: []sarifLocation{{loc}}, Properties: map[string]any{"rule": f.Rule, "jsonPath": f.JSONPath}})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarif{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// uri is a path as a relative or file URI.
func uri(path string) string {
	p := strings.ReplaceAll(filepath.ToSlash(path), " ", "%20")
	if strings.HasPrefix(p, "/") {
		return "file://" + p
	}
	return p
}
