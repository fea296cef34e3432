// Package baseline takes out of a report what an earlier one already said, so
// that a pipeline fails for new findings only.
package baseline

import (
	"encoding/json"
	"fmt"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/render"
)

// Apply removes findings that the JSON report in path has, each as often as it
// is there, unless their severity has risen. The summary is counted anew.
func Apply(r *audit.Report, path string) error {
	text, err := audit.NewDisk(audit.DefaultLimits()).ReadFollow(path)
	if err != nil {
		return err
	}
	var old struct {
		Findings []audit.Finding `json:"findings"`
		Report   *audit.Report   `json:"report"`
	}
	if err := json.Unmarshal(text, &old); err != nil {
		return fmt.Errorf("%s is no JSON report: %w", path, err)
	}
	if old.Report != nil {
		old.Findings = old.Report.Findings
	}
	if old.Findings == nil {
		return fmt.Errorf("%s has no findings list", path)
	}
	have := map[string][]int{}
	for _, f := range old.Findings {
		have[key(f)] = append(have[key(f)], f.Severity.Rank())
	}
	kept := []audit.Finding{}
	for _, f := range r.Findings {
		known := have[key(f)]
		if len(known) > 0 && f.Severity.Rank() <= known[0] {
			have[key(f)] = known[1:]
			continue
		}
		kept = append(kept, f)
	}
	r.Findings = kept
	r.Count()
	return nil
}

func key(f audit.Finding) string { return f.CheckID + "\x00" + render.Fingerprint(f) }
