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

// Rank orders severities: 3 for critical, 2 for warn, 1 for info, 0 for
// anything else.
func (s Severity) Rank() int {
	switch s {
	case Critical:
		return 3
	case Warn:
		return 2
	case Info:
		return 1
	}
	return 0
}

// Finding is one thing that is set up unsafely.
type Finding struct {
	CheckID     string   `json:"checkId"`
	Severity    Severity `json:"severity"`
	Title       string   `json:"title"`
	Detail      string   `json:"detail"`
	Remediation string   `json:"remediation,omitempty"`

	// Layer is the room that the finding belongs to.
	Layer Layer `json:"layer,omitempty"`
	// Location is where to look: the config key or the file.
	Location *Location `json:"location,omitempty"`
	// Refs names the weakness in public catalogues.
	Refs []string `json:"refs,omitempty"`
	// Overridden is the severity before a waiver list changed it.
	Overridden Severity `json:"overriddenFrom,omitempty"`
	// Suppression says why a waived finding does not count.
	Suppression *Suppression `json:"suppression,omitempty"`
}

// Location is a place in a file: the config key that the finding is about.
// Line and Column count from 1; 0 means the whole file.
type Location struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Key    string `json:"key,omitempty"`
}

// Suppression is the waiver that a finding matched.
type Suppression struct {
	Reason string `json:"reason,omitempty"`
	Owner  string `json:"owner,omitempty"`
	Until  string `json:"until,omitempty"`
}

// Summary counts the findings that are in force.
type Summary struct {
	Critical int `json:"critical"`
	Warn     int `json:"warn"`
	Info     int `json:"info"`
}

// Skip is something that the audit could not or would not look at.
type Skip struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Report is the answer of one run.
type Report struct {
	TS                 int64     `json:"ts"` // milliseconds since the epoch
	Summary            Summary   `json:"summary"`
	Findings           []Finding `json:"findings"`
	SuppressedFindings []Finding `json:"suppressedFindings,omitempty"`
	Deep               *Deep     `json:"deep,omitempty"`
	SecretDiagnostics  []string  `json:"secretDiagnostics"`
	Skipped            []Skip    `json:"skipped,omitempty"`
	Subject            string    `json:"subject,omitempty"`
	Config             string    `json:"config,omitempty"`
}

// Deep is what the live probes answered.
type Deep struct {
	Gateway GatewayProbe `json:"gateway"`
}

// GatewayProbe is the answer of the gateway that the configuration names.
type GatewayProbe struct {
	Attempted bool    `json:"attempted"`
	URL       string  `json:"url"`
	OK        bool    `json:"ok"`
	Error     *string `json:"error"`
	Close     *string `json:"close"`
}

// Worst is the highest severity in force, empty when there is none.
func (r *Report) Worst() Severity {
	switch {
	case r.Summary.Critical > 0:
		return Critical
	case r.Summary.Warn > 0:
		return Warn
	case r.Summary.Info > 0:
		return Info
	}
	return ""
}
