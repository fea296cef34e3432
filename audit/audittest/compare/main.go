// Command compare runs the audit over recorded cases of the peer's and says,
// case by case, what is the same, what differs on purpose and what is missing:
//
//	go run ./audit/audittest/compare DIR
//
// DIR holds NAME.json (the configuration), NAME.meta.json (files, modes,
// environment) and NAME.expected.json (what the peer answered). The exit code
// is 1 when something is missing or differs without a documented reason.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/peer"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: compare DIR")
		os.Exit(2)
	}
	worse, err := compare(os.Stdout, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
	if worse {
		os.Exit(1)
	}
}

type answer struct {
	Findings           []audit.Finding `json:"findings"`
	SuppressedFindings []audit.Finding `json:"suppressedFindings"`
	Report             *answer         `json:"report"`
	OK                 *bool           `json:"ok"`
}

// compare writes the report; worse says that something is missing.
func compare(w io.Writer, dir string) (worse bool, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.expected.json"))
	if err != nil {
		return false, err
	}
	if len(names) == 0 {
		return false, fmt.Errorf("no cases in %s", dir)
	}
	slices.Sort(names)
	count := map[string]int{}
	for _, path := range names {
		name := strings.TrimSuffix(filepath.Base(path), ".expected.json")
		verdict, notes, err := one(dir, name, path)
		if err != nil {
			return true, fmt.Errorf("%s: %w", name, err)
		}
		count[verdict]++
		worse = worse || verdict == "missing" || verdict == "undocumented"
		if _, err := fmt.Fprintf(w, "%-12s %s%s\n", verdict, name, notes); err != nil {
			return worse, err
		}
	}
	_, err = fmt.Fprintf(w, "\n%d cases: %d matched, %d deliberate, %d refused by the peer, %d undocumented, %d missing\n",
		len(names), count["matched"], count["deliberate"], count["refused"], count["undocumented"], count["missing"])
	return worse, err
}

// one compares a case: the peer's findings with ours, as pairs of severity and
// id, each as often as it is there.
func one(dir, name, path string) (verdict, notes string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	var want answer
	if err := json.Unmarshal(text, &want); err != nil {
		return "", "", err
	}
	if want.Report != nil {
		want = *want.Report
	}
	got, fixed, err := audited(dir, name)
	if err != nil {
		return "", "", err
	}
	if want.OK != nil && !*want.OK {
		return "refused", "  ours: " + strings.Join(minus(pairs(got.Findings), nil), " "), nil
	}
	missing := minus(pairs(want.Findings), pairs(got.Findings))
	extra := minus(pairs(got.Findings), pairs(want.Findings))
	verdict = "matched"
	for _, p := range append(slices.Clone(missing), extra...) {
		if verdict = "deliberate"; !documented(p) {
			verdict = "undocumented"
			break
		}
	}
	for _, p := range missing { // only a repair takes findings of the peer's away
		if !fixed || !documented(p) {
			verdict = "missing"
		}
	}
	if len(missing) > 0 {
		notes += "  not ours: " + strings.Join(missing, " ")
	}
	if len(extra) > 0 {
		notes += "  ours: " + strings.Join(extra, " ")
	}
	return verdict, notes, nil
}

func pairs(list []audit.Finding) []string {
	out := make([]string, len(list))
	for i, f := range list {
		out[i] = string(f.Severity) + ":" + f.CheckID
	}
	slices.Sort(out)
	return out
}

// minus takes each of b out of a once.
func minus(a, b []string) []string {
	left := map[string]int{}
	for _, v := range b {
		left[v]++
	}
	var out []string
	for _, v := range a {
		if left[v] > 0 {
			left[v]--
			continue
		}
		out = append(out, v)
	}
	return out
}

func documented(pair string) bool {
	_, id, _ := strings.Cut(pair, ":")
	for _, d := range peer.Differences() {
		for _, known := range d.IDs {
			if _, ok := audit.Lookup([]audit.Check{{ID: known}}, id); ok {
				return true
			}
		}
	}
	return false
}
