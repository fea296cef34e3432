package render

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

type (
	obj  = map[string]any
	list = []any
)

func level(s audit.Severity) string {
	switch s {
	case audit.Critical:
		return "error"
	case audit.Warn:
		return "warning"
	}
	return "note"
}

// score is the security severity that code hosts sort by.
func score(s audit.Severity) string {
	switch s {
	case audit.Critical:
		return "9.0"
	case audit.Warn:
		return "6.0"
	}
	return "2.0"
}

// SARIF writes SARIF 2.1.0. Waived findings are there with a suppression.
func SARIF(w io.Writer, r *audit.Report, o Options) error {
	index := map[string]int{}
	rules := list{}
	rule := func(id string) int {
		if i, ok := index[id]; ok {
			return i
		}
		index[id] = len(rules)
		rules = append(rules, sarifRule(id, o.Checks))
		return index[id]
	}
	results := list{}
	for _, f := range r.Findings {
		results = append(results, sarifResult(f, rule(f.CheckID), o.Base))
	}
	for _, f := range r.SuppressedFindings {
		res := sarifResult(f, rule(f.CheckID), o.Base)
		res["suppressions"] = list{obj{"kind": "external", "justification": reason(f.Suppression)}}
		results = append(results, res)
	}
	notes := list{}
	for _, s := range r.Skipped {
		notes = append(notes, obj{"level": "warning", "message": obj{"text": s.What + ": " + s.Why}})
	}
	driver := obj{"name": "chitin", "informationUri": "https://github.com/chitin-sh/chitin", "rules": rules}
	if o.Version != "" {
		driver["version"] = o.Version
	}
	invocation := obj{"executionSuccessful": true}
	if len(notes) > 0 {
		invocation["toolExecutionNotifications"] = notes
	}
	return JSON(w, obj{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": list{obj{"tool": obj{"driver": driver}, "results": results, "invocations": list{invocation}, "columnKind": "utf16CodeUnits"}},
	})
}

func sarifRule(id string, checks []audit.Check) obj {
	out := obj{"id": id}
	c, ok := audit.Lookup(checks, id)
	if !ok {
		return out
	}
	out["name"] = strings.NewReplacer(".", "_", "<", "", ">", "").Replace(c.ID)
	out["shortDescription"] = obj{"text": c.Title}
	out["fullDescription"] = obj{"text": c.Why}
	out["help"] = obj{"text": c.Why + "\n\n" + c.Remedy, "markdown": c.Why + "\n\n**Remedy:** " + c.Remedy}
	out["defaultConfiguration"] = obj{"level": level(c.Default())}
	tags := list{"security", string(c.Layer)}
	for _, ref := range c.Refs {
		if n, ok := strings.CutPrefix(ref, "CWE-"); ok {
			ref = "external/cwe/cwe-" + n
		}
		tags = append(tags, ref)
	}
	out["properties"] = obj{"tags": tags, "security-severity": score(c.Default())}
	return out
}

func sarifResult(f audit.Finding, rule int, base string) obj {
	text := f.Title + ". " + f.Detail
	res := obj{"ruleId": f.CheckID, "ruleIndex": rule, "level": level(f.Severity), "message": obj{"text": text}}
	sum := sha256.Sum256([]byte(f.CheckID + "\x00" + Fingerprint(f)))
	res["partialFingerprints"] = obj{"chitinFinding/v1": hex.EncodeToString(sum[:16])}
	if l := f.Location; l != nil && l.File != "" {
		phys := obj{"artifactLocation": obj{"uri": uri(l.File, base)}}
		if l.Line > 0 {
			region := obj{"startLine": l.Line}
			if l.Column > 0 {
				region["startColumn"] = l.Column
			}
			phys["region"] = region
		}
		loc := obj{"physicalLocation": phys}
		if l.Key != "" {
			loc["logicalLocations"] = list{obj{"fullyQualifiedName": l.Key, "kind": "member"}}
		}
		res["locations"] = list{loc}
	}
	return res
}

// Fingerprint is what makes a finding the same one in two runs: where it is,
// not what its text says.
func Fingerprint(f audit.Finding) string {
	if f.Location != nil && f.Location.Key != "" {
		return f.Location.Key
	}
	if f.Location != nil && f.Location.File != "" {
		return f.Location.File
	}
	first, _, _ := strings.Cut(f.Detail, "\n")
	return first
}

func uri(path, base string) string {
	if rel, ok := strings.CutPrefix(path, base+"/"); ok && base != "" {
		return (&url.URL{Path: rel}).String()
	}
	if strings.HasPrefix(path, "/") {
		return (&url.URL{Scheme: "file", Path: path}).String()
	}
	return (&url.URL{Path: path}).String()
}
