package audit

// Change is one planned repair.
type Change struct {
	// Kind is chmod or config.
	Kind string `json:"kind"`
	// Path is the file; Key and Value the config key to set.
	Path  string `json:"path"`
	Mode  uint32 `json:"mode,omitempty"`
	Dir   bool   `json:"-"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
	// CheckID is the check that asked for it.
	CheckID string `json:"checkId,omitempty"`
	// OK, Skipped and Error say what came of it: skipped is already, missing,
	// symlink, not-a-file or not-a-directory.
	OK      bool   `json:"ok"`
	Skipped string `json:"skipped,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Plan asks every check of the run for its repairs and leaves out duplicates.
// The order is that of the checks.
func Plan(s *Subject, checks []Check, r *Report) []Change {
	fired := map[string]bool{}
	for _, f := range r.Findings {
		if c, ok := Lookup(checks, f.CheckID); ok {
			fired[c.ID] = true
		}
	}
	seen := map[[3]string]bool{}
	var out []Change
	for i := range checks {
		c := &checks[i]
		if c.Repair == nil || c.On&s.Kind == 0 || !fired[c.ID] {
			continue
		}
		for _, ch := range c.Repair(s) {
			ch.CheckID = c.ID
			k := [3]string{ch.Kind, ch.Path, ch.Key}
			if !seen[k] {
				seen[k] = true
				out = append(out, ch)
			}
		}
	}
	return out
}

// Repairable lists the findings that Plan would have changes for.
func Repairable(checks []Check, r *Report) []string {
	var out []string
	for _, f := range r.Findings {
		if c, ok := Lookup(checks, f.CheckID); ok && c.Repair != nil {
			out = append(out, f.CheckID)
		}
	}
	return out
}
