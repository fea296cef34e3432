package audit_test

import (
	"testing"
	"time"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/tree"
)

// always is a check that fires at a key.
func always(id string, sev string) audit.Check {
	return audit.Check{
		ID: id, Layer: audit.LayerAudit, On: audit.Both, Severity: sev, Title: "Token looks short", Why: "w", Remedy: "r",
		Run: func(*audit.Subject) []audit.Hit { return []audit.Hit{{Key: "gateway.bind", Detail: "11 chars"}} },
	}
}

func report(t *testing.T, config string, k audit.Kind) *audit.Report {
	t.Helper()
	root, err := tree.Parse("c.json", []byte(config), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &audit.Subject{Kind: k, Root: root, ConfigPath: "c.json", Now: time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)}
	return audit.Run(s, []audit.Check{always("a.b", "warn")})
}

func TestWaivers(t *testing.T) {
	w := func(rest string) string { return `{gateway:{bind:"lan"},security:{audit:{waivers:[{` + rest + `}]}}}` }
	p := func(rest string) string {
		return `{gateway:{bind:"lan"},security:{audit:{suppressions:[{` + rest + `}]}}}`
	}
	for name, c := range map[string]struct {
		config string
		waived bool
	}{
		"whole":               {w(`checkId:"a.b",reason:"r",owner:"o",until:"2026-07-01"`), true},
		"last day":            {w(`checkId:"a.b",reason:"r",owner:"o",until:"2026-06-15"`), true},
		"day after":           {w(`checkId:"a.b",reason:"r",owner:"o",until:"2026-06-14"`), false},
		"no reason":           {w(`checkId:"a.b",owner:"o",until:"2026-07-01"`), false},
		"no owner":            {w(`checkId:"a.b",reason:"r",until:"2026-07-01"`), true},
		"no end":              {w(`checkId:"a.b",reason:"r",owner:"o"`), true},
		"nonsense end":        {w(`checkId:"a.b",reason:"r",owner:"o",until:"soon"`), false},
		"other id":            {w(`checkId:"a.c",reason:"r",owner:"o",until:"2026-07-01"`), false},
		"match key":           {w(`checkId:"a.b",match:"gateway.bind",reason:"r",owner:"o",until:"2026-07-01"`), true},
		"match other key":     {w(`checkId:"a.b",match:"gateway.port",reason:"r",owner:"o",until:"2026-07-01"`), false},
		"peer bare":           {p(`checkId:"a.b"`), true},
		"peer title any case": {p(`checkId:"a.b",titleIncludes:"LOOKS SHORT"`), true},
		"peer detail":         {p(`checkId:"a.b",detailIncludes:"11"`), true},
		"peer both differ":    {p(`checkId:"a.b",titleIncludes:"short",detailIncludes:"99 chars"`), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := report(t, c.config, audit.OpenClaw)
			if got := len(r.SuppressedFindings) == 1 && len(r.Findings) == 0; got != c.waived {
				t.Errorf("waived %v, want %v: %+v", got, c.waived, r)
			}
			if c.waived != (r.Summary.Warn == 0) {
				t.Errorf("summary counts %d warn", r.Summary.Warn)
			}
		})
	}
}

func TestSeverityOverride(t *testing.T) {
	good := `{security:{audit:{severity:{"a.b":{severity:"critical",reason:"here it is"}}}}}`
	r := report(t, good, audit.Own)
	if f := r.Findings[0]; f.Severity != audit.Critical || f.Overridden != audit.Warn || r.Summary.Critical != 1 {
		t.Errorf("override is not in force: %+v", f)
	}
	for _, bad := range []string{`{security:{audit:{severity:{"a.b":{severity:"critical"}}}}}`, `{security:{audit:{severity:{"a.b":{severity:"off",reason:"r"}}}}}`} {
		if f := report(t, bad, audit.Own).Findings[0]; f.Severity != audit.Warn {
			t.Errorf("%s is in force", bad)
		}
	}
}

func TestUnwaivable(t *testing.T) {
	root, err := tree.Parse("c.json", []byte(`{security:{audit:{suppressions:[{checkId:"a.b"}]}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := always("a.b", "info")
	c.Unwaivable = true
	if r := audit.Run(&audit.Subject{Kind: audit.OpenClaw, Root: root}, []audit.Check{c}); len(r.Findings) != 1 {
		t.Error("an unwaivable finding was waived")
	}
}

func TestBrokenCheckCostsOnlyItself(t *testing.T) {
	c := always("a.b", "warn")
	c.Run = func(*audit.Subject) []audit.Hit { panic("boom") }
	r := audit.Run(&audit.Subject{Kind: audit.Own}, []audit.Check{c, always("c.d", "warn")})
	if len(r.Findings) != 1 || len(r.Skipped) != 1 {
		t.Errorf("findings %d, skipped %d", len(r.Findings), len(r.Skipped))
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain ümlaut 日本": "plain ümlaut 日本",
		"\x1b[31mred":     `\u{1b}[31mred`,
		"a\u202eb":        `a\u{202e}b`,
		"bell\a":          `bell\u{7}`,
		"c1 \u009b31m":    `c1 \u{9b}31m`,
		"tag \U000e0041":  `tag \u{e0041}`,
		"two\nlines":      "two\nlines",
		"del\x7f":         `del\u{7f}`,
	} {
		if got := audit.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := audit.Show("two\nlines"); got != `two\u{a}lines` {
		t.Errorf("Show lets a line feed through: %q", got)
	}
}

func TestLookupWithPlaceholder(t *testing.T) {
	list := []audit.Check{{ID: "tools.x.<channel>.wild"}, {ID: "tools.x.y"}}
	for id, want := range map[string]string{"tools.x.telegram.wild": "tools.x.<channel>.wild", "tools.x.y": "tools.x.y", "tools.x..wild": "", "tools.x.a.b": ""} {
		c, ok := audit.Lookup(list, id)
		if ok != (want != "") || ok && c.ID != want {
			t.Errorf("Lookup(%q) = %v %v", id, c, ok)
		}
	}
}

func TestValidateFindsMistakes(t *testing.T) {
	good := always("a.b", "warn")
	good.Fires, good.Quiet = []audit.Example{{}}, []audit.Example{{}}
	if err := audit.Validate([]audit.Check{good}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*audit.Check){
		"no id": func(c *audit.Check) { c.ID = "" }, "no title": func(c *audit.Check) { c.Title = "" }, "no reason": func(c *audit.Check) { c.Why = "" },
		"no remedy": func(c *audit.Check) { c.Remedy = "" }, "no severity": func(c *audit.Check) { c.Severity = "bad" }, "no run": func(c *audit.Check) { c.Run = nil },
		"never fires": func(c *audit.Check) { c.Fires = nil }, "never quiet": func(c *audit.Check) { c.Quiet = nil }, "no subject": func(c *audit.Check) { c.On = 0 },
	} {
		c := good
		change(&c)
		if audit.Validate([]audit.Check{c}) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if audit.Validate([]audit.Check{good, good}) == nil {
		t.Error("a duplicate is accepted")
	}
}
