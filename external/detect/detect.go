// Package detect finds instructions in text that should hold none: attempts to
// override, re-role, spoof or extract, in many languages and encodings. It
// reads a text once, as folded words; rules name what they know, a small
// linear model weighs the rest. Detection labels; it blocks nothing.
package detect

// Family is a kind of attack.
type Family string

// Span is a piece of the original text that something fired on, in bytes.
type Span struct {
	Start    int    `json:"start"`
	End      int    `json:"end"`
	Rule     string `json:"rule"`
	Family   Family `json:"family"`
	Severity string `json:"severity"`
}

// Report is what a scan found. Score is the calibrated probability that the
// text tries to instruct its reader.
type Report struct {
	Flagged  bool
	Score    float64
	Families []Family
	Spans    []Span
}

// Detector scans texts. It is safe for concurrent use.
type Detector struct{}

// Config chooses how a detector decides; the zero value is the default.
type Config struct {
	// Threshold is the score from which a text is flagged; 0 means the one
	// that the model was calibrated for.
	Threshold float64
}

// New is a detector. Its tables are loaded by the first scan.
func New(Config) *Detector { return &Detector{} }

var shared Detector

// Default is the detector that everything shares.
func Default() *Detector { return &shared }

// Scan reads text and says what it found.
func (d *Detector) Scan(string) Report { return Report{} }
