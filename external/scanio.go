package external

import (
	"fmt"

	"github.com/chitin-sh/chitin/external/detect"
)

// MaxText is the size in bytes of a text that the surfaces take.
const MaxText = 16 << 20

// ScanRequest asks whether a text tries to give orders.
type ScanRequest struct {
	ID   string `json:"id,omitempty"`
	Text string `json:"text"`
}

// Check says what is wrong with the request; nil if it can be served.
func (r ScanRequest) Check() error { return checkSize(r.Text) }

func checkSize(text string) error {
	if len(text) > MaxText {
		return fmt.Errorf("text is longer than %d MiB", MaxText>>20)
	}
	return nil
}

// ScanResponse answers a ScanRequest. Spans are bytes of the text.
type ScanResponse struct {
	ID       string          `json:"id,omitempty"`
	Flagged  bool            `json:"flagged"`
	Score    float64         `json:"score"`
	Families []detect.Family `json:"families"`
	Spans    []detect.Span   `json:"spans"`
}

// ServeScan answers a scan. It does no I/O.
func ServeScan(r ScanRequest) ScanResponse {
	rep := detect.Default().Scan(r.Text)
	out := ScanResponse{ID: r.ID, Flagged: rep.Flagged, Score: rep.Score, Families: rep.Families, Spans: rep.Spans}
	if out.Families == nil {
		out.Families = []detect.Family{}
	}
	if out.Spans == nil {
		out.Spans = []detect.Span{}
	}
	return out
}

// WrapRequest asks for a text to be wrapped.
type WrapRequest struct {
	Text    string `json:"text"`
	Source  string `json:"source"`
	From    string `json:"from,omitempty"`
	Subject string `json:"subject,omitempty"`
	Mode    Mode   `json:"mode,omitempty"` // "" is what the configuration says of the source
}

// Check says what is wrong with the request; nil if it can be served.
func (r WrapRequest) Check() error {
	if r.Mode != "" {
		if p := (Config{Mode: r.Mode}).Validate(); len(p) > 0 {
			return fmt.Errorf("%s; %s", p[0].Message, p[0].Hint)
		}
	}
	return checkSize(r.Text)
}

// WrapResponse is the wrapped text with its label.
type WrapResponse struct {
	Text  string `json:"text"`
	ID    string `json:"id"`
	Label Label  `json:"label"`
	Event Event  `json:"event"`
}

// ServeWrap wraps a text as the configuration says. It does no I/O. An unknown
// mode is wrapped as a marker.
func ServeWrap(c Config, r WrapRequest) WrapResponse {
	opts := c.Options()
	switch r.Mode {
	case ModeMarker, ModeDatamark, ModeEncode:
		opts = append(opts, WithMode(r.Mode))
	}
	s := Wrap(r.Text, Meta{Source: r.Source, From: r.From, Subject: r.Subject}, opts...)
	return WrapResponse{Text: s.Text(), ID: s.ID(), Label: s.Label(), Event: s.Event()}
}

// Event is what the journal and the UI keep of a wrapped text: what was found
// and where, nothing of the text itself.
type Event struct {
	Source   string          `json:"source"`
	ID       string          `json:"id"`
	Mode     Mode            `json:"mode"`
	Flagged  bool            `json:"flagged"`
	Score    float64         `json:"score"`
	Families []detect.Family `json:"families,omitempty"`
	Findings []Finding       `json:"findings,omitempty"`
}

// Finding is one thing in the text as it came, by its bytes.
type Finding struct {
	Rule     string        `json:"rule"`
	Family   detect.Family `json:"family"`
	Severity string        `json:"severity"`
	Start    int           `json:"start"`
	End      int           `json:"end"`
}

// Findings are what detection and the border found, at most 128.
func (s Sealed) Findings() []Finding {
	var out []Finding
	for _, sp := range s.report.Spans {
		out = append(out, Finding{sp.Rule, sp.Family, sp.Severity, sp.Start, sp.End})
	}
	for i, f := range s.forged {
		if i == 64 {
			break
		}
		out = append(out, Finding{"forged-" + string(f.Kind), detect.Boundary, detect.High, f.Start, f.End})
	}
	return out
}

// Event is what the journal keeps of the wrap.
func (s Sealed) Event() Event {
	return Event{
		Source: s.label.Source, ID: s.id, Mode: s.mode, Flagged: s.Flagged(), Score: s.report.Score,
		Families: s.Families(), Findings: s.Findings(),
	}
}
