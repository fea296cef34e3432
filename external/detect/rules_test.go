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
	d := New(Config{Model: blank()}) // rules do not depend on weights
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

// A summary counts rules in the bits of a word.
func TestRulesAreFew(t *testing.T) {
	t.Parallel()
	if n := len(Rules()) + len(contextRules); n > 64 {
		t.Errorf("%d rules do not fit", n)
	}
}

func TestConcepts(t *testing.T) {
	t.Parallel()
	x, err := parseConcepts(conceptsFile)
	if err != nil {
		t.Fatal(err)
	}
	d := New(Config{Model: blank()})
	for text, want := range map[string]string{
		"ignore": "ignore", "Ignoring": "ignore", "vergiss": "ignore", "忽略": "ignore", "무시": "ignore", "игнорируйте": "ignore",
		"instructions": "inst", "consignes": "inst", "指示": "inst", "निर्देशों": "inst", "password": "secret", "kata sandi": "secret", "weather": "",
	} {
		s := d.scanner()
		got := ""
		n := s.lexer(text)
		if c := s.concept(n, s.words.find(s.buf[n].h)); c != 0 {
			got = x.names[c-1]
		}
		if got != want {
			t.Errorf("%q is about %q, want %q", text, got, want)
		}
	}
	if _, err := parseConcepts("no name"); err == nil {
		t.Error("a line without a name is taken")
	}
}

// lexer cuts a short text into the buffer and returns the place of its last token.
func (s *scanner) lexer(text string) int {
	s.reset(text)
	return reach + s.lex.fill(s.buf[reach:]) - 1
}
