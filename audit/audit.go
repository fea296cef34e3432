// Package audit is layer 6: it looks at everything the other layers rely on
// and says what is set up unsafely. A check is a value; the engine runs a list
// of them over a subject and renders findings.
package audit

// Severity of a finding.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	Warn     Severity = "warn"
	Info     Severity = "info"
)

// Finding is one thing that is set up unsafely.
type Finding struct {
	CheckID     string   `json:"checkId"`
	Severity    Severity `json:"severity"`
	Title       string   `json:"title"`
	Detail      string   `json:"detail"`
	Remediation string   `json:"remediation,omitempty"`
}
