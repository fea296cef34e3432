package render

import (
	"encoding/xml"
	"io"
	"time"

	"github.com/chitin-sh/chitin/audit"
)

type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Suites   []suite  `xml:"testsuite"`
}

type suite struct {
	Name      string     `xml:"name,attr"`
	Tests     int        `xml:"tests,attr"`
	Failures  int        `xml:"failures,attr"`
	Skipped   int        `xml:"skipped,attr"`
	Timestamp string     `xml:"timestamp,attr"`
	Cases     []testcase `xml:"testcase"`
}

type testcase struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Failure *failure `xml:"failure,omitempty"`
	Skipped *skipped `xml:"skipped,omitempty"`
	Out     string   `xml:"system-out,omitempty"`
}

type failure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type skipped struct {
	Message string `xml:"message,attr"`
}

// JUnit writes a test suite: a finding of warn or critical is a failure, an
// info one passes with its text, a waived one is skipped.
func JUnit(w io.Writer, r *audit.Report) error {
	s := suite{Name: "chitin security audit of " + r.Subject, Timestamp: time.UnixMilli(r.TS).UTC().Format("2006-01-02T15:04:05")}
	for _, f := range r.Findings {
		c := testcase{Name: f.CheckID, Class: string(f.Layer)}
		text := f.Detail
		if f.Remediation != "" {
			text += "\n" + f.Remediation
		}
		if f.Severity == audit.Info {
			c.Out = text
		} else {
			c.Failure = &failure{Message: f.Title, Type: string(f.Severity), Text: text}
			s.Failures++
		}
		s.Cases = append(s.Cases, c)
	}
	for _, f := range r.SuppressedFindings {
		s.Cases = append(s.Cases, testcase{Name: f.CheckID, Class: string(f.Layer), Skipped: &skipped{reason(f.Suppression)}})
		s.Skipped++
	}
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suites{Tests: s.Tests, Failures: s.Failures, Suites: []suite{s}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
