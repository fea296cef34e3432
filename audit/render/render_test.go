package render_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/open"
	"github.com/chitin-sh/chitin/audit/render"
)

// bad is a report with findings of every severity, a waiver, a skip and names
// with escapes in them.
func bad(t *testing.T) (*audit.Report, []audit.Check) {
	t.Helper()
	dir := t.TempDir()
	config := "{\n  gateway: {bind: 'lan'},\n  models: {},\n  channels: {'evil\x1b[31m\u202e': {groupPolicy: 'open'}},\n" +
		"  agents: {defaults: {sandbox: {mode: 'all', docker: {network: 'host', binds: ['/etc:/x']}}}},\n" +
		"  security: {audit: {suppressions: [{checkId: 'gateway.auth_no_rate_limit', reason: 'r'}]}},\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "openclaw.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := open.OpenClaw(open.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s.Disk.Skip("odd\x1b]0;name", "because")
	checks := all.Checks()
	return audit.Run(s, checks), checks
}

func TestNothingRawInAnyFormat(t *testing.T) {
	r, checks := bad(t)
	if r.Summary.Critical == 0 || len(r.SuppressedFindings) == 0 || len(r.Skipped) == 0 {
		t.Fatalf("the report is too good: %+v", r.Summary)
	}
	for _, format := range render.Formats() {
		var b bytes.Buffer
		if err := render.Write(&b, format, r, render.Options{Checks: checks}); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || r == 0x202e || r == 0x7f || r == 0x9b }); i >= 0 {
			t.Errorf("%s holds %q", format, b.String()[i:min(i+20, b.Len())])
		}
	}
}

// schema is the official one of SARIF 2.1.0, its descriptions left out.
const schema = "testdata/sarif-2.1.0.schema.json"

func TestSARIFIsValid(t *testing.T) {
	text, err := os.ReadFile(schema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	official, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	r, checks := bad(t)
	for name, rep := range map[string]*audit.Report{"bad": r, "empty": {Findings: []audit.Finding{}}} {
		var b bytes.Buffer
		if err := render.SARIF(&b, rep, render.Options{Checks: checks, Version: "1.2.3"}); err != nil {
			t.Fatal(err)
		}
		got, err := jsonschema.UnmarshalJSON(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := official.Validate(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"version":"2.1.0","runs":[{}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if official.Validate(broken) == nil {
		t.Error("the schema accepts a run without a tool")
	}
}

func TestSARIFNamesTheKeysLine(t *testing.T) {
	r, checks := bad(t)
	var b bytes.Buffer
	if err := render.SARIF(&b, r, render.Options{Checks: checks}); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Runs []struct {
			Results []struct {
				RuleID    string `json:"ruleId"`
				Locations []struct {
					Physical struct {
						Artifact struct{ URI string }                 `json:"artifactLocation"`
						Region   struct{ StartLine, StartColumn int } `json:"region"`
					} `json:"physicalLocation"`
				}
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	want := map[string][2]int{"gateway.bind_no_auth": {2, 13}, "sandbox.dangerous_network_mode": {5, 55}}
	for _, res := range doc.Runs[0].Results {
		if at, ok := want[res.RuleID]; ok {
			p := res.Locations[0].Physical
			if p.Region.StartLine != at[0] || p.Region.StartColumn != at[1] || !strings.HasSuffix(p.Artifact.URI, "/openclaw.json") {
				t.Errorf("%s is at %+v, want %v", res.RuleID, p, at)
			}
			delete(want, res.RuleID)
		}
	}
	if len(want) > 0 {
		t.Errorf("no result for %v", want)
	}
}

func TestJUnitCounts(t *testing.T) {
	r, _ := bad(t)
	var b bytes.Buffer
	if err := render.JUnit(&b, r); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Failures int `xml:"failures,attr"`
		Suite    struct {
			Skipped int `xml:"skipped,attr"`
			Case    []struct {
				Failure *struct{} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range doc.Suite.Case {
		if c.Failure != nil {
			n++
		}
	}
	if n != doc.Failures || n != r.Summary.Critical+r.Summary.Warn || doc.Suite.Skipped != len(r.SuppressedFindings) {
		t.Errorf("%d failures of %+v", n, r.Summary)
	}
}

func TestOCSFLines(t *testing.T) {
	r, _ := bad(t)
	var b bytes.Buffer
	if err := render.OCSF(&b, r, render.Options{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != len(r.Findings)+len(r.SuppressedFindings) {
		t.Fatalf("%d lines for %d findings", len(lines), len(r.Findings))
	}
	for _, l := range lines {
		var ev struct {
			Class    int `json:"class_uid"`
			Type     int `json:"type_uid"`
			Severity int `json:"severity_id"`
			Time     int64
		}
		if err := json.Unmarshal([]byte(l), &ev); err != nil || ev.Class != 2003 || ev.Type != 200301 || ev.Severity == 0 || ev.Time == 0 {
			t.Errorf("%v: %.120s", err, l)
		}
	}
}

func TestFormatsAreStable(t *testing.T) {
	r, checks := bad(t)
	for _, format := range render.Formats() {
		var a, b bytes.Buffer
		if err := render.Write(&a, format, r, render.Options{Checks: checks}); err != nil {
			t.Fatal(err)
		}
		if err := render.Write(&b, format, r, render.Options{Checks: checks}); err != nil {
			t.Fatal(err)
		}
		if a.String() != b.String() {
			t.Errorf("%s differs between two runs", format)
		}
	}
	if render.Write(&bytes.Buffer{}, "pdf", r, render.Options{}) == nil {
		t.Error("an unknown format is accepted")
	}
}
