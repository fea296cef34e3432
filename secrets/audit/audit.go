// Package audit looks for secrets where they should not be and references
// that lead nowhere: in our configuration and state, in an OpenClaw
// installation, and in any files and directories. Findings never hold a
// secret.
package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/doc"
	"github.com/chitin-sh/chitin/secrets/scan"
)

// The codes of findings. They do not change.
const (
	PlaintextFound        = "PLAINTEXT_FOUND"         // a secret stands in a file
	RefUnresolved         = "REF_UNRESOLVED"          // a reference leads nowhere
	RefShadowed           = "REF_SHADOWED"            // something else beats a reference
	LegacyResidue         = "LEGACY_RESIDUE"          // a retired place of secrets is still there
	PlaceholderValue      = "PLACEHOLDER_VALUE"       // a redaction mark where a secret should be
	StorePlaintextResidue = "STORE_PLAINTEXT_RESIDUE" // a copy of a stored secret in a file
)

// Severity is how bad a finding is.
type Severity string

// From bad to worth knowing.
const (
	Error Severity = "error"
	Warn  Severity = "warn"
	Info  Severity = "info"
)

// Finding is one problem at one place. Lines and columns count from 1 and are
// 0 where there is none.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	JSONPath string   `json:"jsonPath,omitempty"`
	Rule     string   `json:"rule"`
	Message  string   `json:"message"`
	Fix      string   `json:"fix,omitempty"`

	start, end int // where in the file; end is 0 when it is not a place
}

// Resolution says how far references could be checked.
type Resolution struct {
	RefsChecked          int  `json:"refsChecked"`
	SkippedExecRefs      int  `json:"skippedExecRefs"`
	ResolvabilityChecked bool `json:"resolvabilityComplete"`
}

// Summary counts findings by code.
type Summary struct {
	Plaintext    int `json:"plaintextCount"`
	Unresolved   int `json:"unresolvedRefCount"`
	Shadowed     int `json:"shadowedRefCount"`
	StoreResidue int `json:"storeResidueCount"`
	Legacy       int `json:"legacyResidueCount"`
}

// Report is the outcome of a run.
type Report struct {
	Version      int        `json:"version"`
	Status       string     `json:"status"` // clean, findings or unresolved
	Resolution   Resolution `json:"resolution"`
	FilesScanned int        `json:"filesScanned"`
	Summary      Summary    `json:"summary"`
	Findings     []Finding  `json:"findings"`
}

// Options says what to look at.
type Options struct {
	Paths     []string // files and directories; empty means our own
	Config    string   // our configuration file
	StateDir  string   // our state directory
	AllowExec bool     // run exec providers to see whether references resolve
	LookupEnv func(string) (string, bool)
	// Stored are the values of the store, to find copies of.
	Stored []secrets.Value
}

// run is one audit under way.
type run struct {
	opts   Options
	report *Report
	stored map[[32]byte]bool
	// held are the files whose structure matters, by path.
	held map[string][]byte
}

// Run audits. An error means that it could not look; findings are no error.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &run{opts: o, report: &Report{Version: 1, Findings: []Finding{}, Resolution: Resolution{ResolvabilityChecked: true}}, held: map[string][]byte{}, stored: map[[32]byte]bool{}}
	for _, v := range o.Stored {
		r.stored[sha256.Sum256([]byte(v.Reveal()))] = true
	}
	roots := o.Paths
	if len(roots) == 0 {
		roots = existing(o.Config, o.StateDir)
	}
	files, err := scan.Default().Tree(ctx, minimal(roots), func(path string) bool { return r.kind(path) != plain }, r.file)
	if err != nil {
		return nil, fmt.Errorf("scan: %w", err)
	}
	r.report.FilesScanned = files
	for _, path := range sortedKeys(r.held) {
		r.structured(ctx, path, r.held[path])
	}
	r.finish()
	return r.report, nil
}

// minimal leaves out roots that lie below others, so that nothing is scanned
// twice.
func minimal(roots []string) []string {
	var out []string
	for i, root := range roots {
		abs, err := filepath.Abs(root)
		if err != nil {
			abs = root
		}
		below := false
		for j, other := range roots {
			o, err := filepath.Abs(other)
			below = below || err == nil && (j < i && o == abs || o != abs && strings.HasPrefix(abs, strings.TrimSuffix(o, "/")+"/"))
		}
		if !below {
			out = append(out, root)
		}
	}
	return out
}

// file takes the scanner's findings of one file.
func (r *run) file(f scan.File) {
	kind := r.kind(f.Path)
	if kind == ownSecret {
		return
	}
	if f.Err != nil {
		r.add(Finding{Code: RefUnresolved, Severity: Info, File: f.Path, Rule: "unreadable", Message: "cannot be read: " + f.Err.Error(), Fix: "run the audit as its owner"})
		return
	}
	if kind != plain {
		r.held[f.Path] = slices.Clone(f.Data)
	}
	if len(f.Findings) == 0 {
		return
	}
	where := func(int) string { return "" }
	if format := doc.FormatOf(f.Path); format != doc.Unknown {
		where = doc.Where(format, f.Data)
	}
	for _, x := range f.Findings {
		out := r.plaintext(f.Path, f.Data[x.Start:x.End], x.Rule)
		out.Line, out.Column, out.start, out.end = x.Line, x.Column, x.Start, x.End
		out.JSONPath = where(x.Start)
		if out.JSONPath != "" {
			out.Message = clip(out.JSONPath) + " " + out.Message
		} else if x.Key != "" {
			out.Message = clip(x.Key) + " " + out.Message
		}
		r.add(out)
	}
}

// plaintext is a finding about a secret in a file, without its place.
func (r *run) plaintext(path string, value []byte, rule string) Finding {
	if r.stored[sha256.Sum256(value)] {
		return Finding{Code: StorePlaintextResidue, Severity: Warn, File: path, Rule: rule, Message: "holds a copy of a secret of the store in plain text (" + rule + ")", Fix: "put a reference in its place: chitin secrets migrate " + path}
	}
	return Finding{Code: PlaintextFound, Severity: Warn, File: path, Rule: rule, Message: "is stored as plain text (" + rule + ")", Fix: "put a reference in its place: chitin secrets migrate " + path}
}

// clip keeps a name from showing something long that was pasted into it.
func clip(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if len(p) > 48 {
			parts[i] = p[:12] + "…"
		}
	}
	return strings.Join(parts, ".")
}

func (r *run) add(f Finding) {
	f.JSONPath = clip(f.JSONPath)
	r.report.Findings = append(r.report.Findings, f)
}

// finish sorts, removes doubles and counts.
func (r *run) finish() {
	rep := r.report
	slices.SortStableFunc(rep.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.JSONPath, b.JSONPath), cmp.Compare(a.Code, b.Code))
	})
	rep.Status = "clean"
	for _, f := range rep.Findings {
		switch f.Code {
		case PlaintextFound:
			rep.Summary.Plaintext++
		case RefUnresolved, PlaceholderValue:
			if f.Severity == Error {
				rep.Summary.Unresolved++
			}
		case RefShadowed:
			rep.Summary.Shadowed++
		case StorePlaintextResidue:
			rep.Summary.StoreResidue++
		case LegacyResidue:
			rep.Summary.Legacy++
		}
		if f.Severity != Info || f.Code == LegacyResidue {
			rep.Status = "findings"
		}
	}
	if rep.Summary.Unresolved > 0 {
		rep.Status = "unresolved"
	}
}

func sortedKeys(m map[string][]byte) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
