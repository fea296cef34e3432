package detect

import "testing"

func fires(d *Detector, id, text string) bool {
	s := d.scanner()
	defer d.pool.Put(s)
	s.run(text, nil)
	for _, h := range s.hits {
		if s.prog.rules[s.prog.pats[h.pat].rule].ID == id {
			return true
		}
	}
	return false
}

func TestRulesExamples(t *testing.T) {
	t.Parallel()
	d := New(Config{})
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.ID] || r.ID == "" || r.Family == "" || len(r.Fires) == 0 || len(r.Quiet) == 0 {
			t.Errorf("rule %q: duplicate or incomplete", r.ID)
		}
		seen[r.ID] = true
		for _, x := range r.Fires {
			if !fires(d, r.ID, x) {
				t.Errorf("%s stays quiet on %q", r.ID, x)
			}
		}
		for _, x := range r.Quiet {
			if fires(d, r.ID, x) {
				t.Errorf("%s fires on %q", r.ID, x)
			}
		}
	}
}
