// Package codescan looks for dangerous patterns in the code of plugins and
// skills. The code is text to it: nothing is imported, parsed by a runtime or
// executed.
package codescan

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/chitin-sh/chitin/audit"
)

// Bounds of one scan.
const (
	maxFiles = 500
	maxFile  = 1 << 20
)

// Issue is a pattern that was found.
type Issue struct {
	Rule     string
	Severity audit.Severity
	Text     string
	File     string // relative to the scanned directory
	Line     int
}

// Result is what a scan found and how much it saw.
type Result struct {
	Issues []Issue
	Files  int
	// Incomplete says why something was left out, empty when nothing was.
	Incomplete string
}

// Worst is the highest severity among the issues.
func (r Result) Worst() audit.Severity {
	worst := audit.Severity("")
	for _, i := range r.Issues {
		if i.Severity.Rank() > worst.Rank() {
			worst = i.Severity
		}
	}
	return worst
}

// Dir scans a directory. Hidden directories, node_modules and tests are left
// out, except files named in extra, relative to dir.
func Dir(d *audit.Disk, dir string, extra []string) Result {
	var r Result
	seen := map[string]bool{}
	scan := func(rel string) {
		if seen[rel] {
			return
		}
		seen[rel] = true
		if r.Files >= maxFiles {
			r.Incomplete = "more than 500 files"
			return
		}
		if st := d.Lstat(filepath.Join(dir, rel)); !st.Regular || st.Size > maxFile {
			if st.Regular {
				r.Incomplete = "a file is larger than 1 MiB"
			}
			return
		}
		text, err := d.Beneath(dir, rel)
		if err != nil {
			r.Incomplete = "a file could not be read"
			return
		}
		r.Files++
		r.Issues = append(r.Issues, File(rel, text)...)
	}
	complete := d.WalkFiles(dir, func(rel string, e audit.Entry) (bool, bool) {
		if e.Type.IsDir() {
			return e.Name != "node_modules" && !strings.HasPrefix(e.Name, ".") && e.Name != "__tests__" && e.Name != "test" && e.Name != "tests", r.Files < maxFiles
		}
		if (code(e.Name) && !isTest(e.Name)) || e.Name == "SKILL.md" {
			scan(rel)
		}
		return false, true
	})
	if !complete && r.Incomplete == "" {
		r.Incomplete = "too many files"
	}
	for _, rel := range extra {
		if filepath.IsLocal(rel) && code(rel) {
			scan(filepath.Clean(rel))
		}
	}
	return r
}

func code(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".js", ".ts", ".mjs", ".cjs", ".mts", ".cts", ".jsx", ".tsx":
		return true
	}
	return false
}

func isTest(name string) bool {
	return strings.Contains(name, ".test.") || strings.Contains(name, ".spec.")
}

type rule struct {
	name     string
	severity audit.Severity
	text     string
	re       *regexp.Regexp
	// also must be somewhere in the file.
	also *regexp.Regexp
	// near is how far, in lines, also may be from a match; 0 for anywhere.
	near int
}

var rules = sync.OnceValue(func() (r struct{ code, skill []rule }) {
	c := regexp.MustCompile
	send := c(`\bfetch\s*\(|\.post\s*\(|\bhttps?\.request\s*\(|\baxios\b|\bXMLHttpRequest\b`)
	r.code = []rule{
		{name: "dangerous-exec", severity: audit.Critical, text: "runs a command", re: c(`\b(exec|execSync|execFile|execFileSync|spawn|spawnSync)\s*\(`), also: c(`child_process`)},
		{name: "dynamic-code-execution", severity: audit.Critical, text: "runs code from text", re: c(`\beval\s*\(|\bnew\s+Function\s*\(`)},
		{name: "crypto-mining", severity: audit.Critical, text: "mentions a mining pool or miner", re: c(`(?i)stratum\+(tcp|ssl)|coinhive|cryptonight|xmrig`)},
		{name: "env-harvesting", severity: audit.Critical, text: "reads the environment close to a network call", re: c(`process\.env\b`), also: send, near: 8},
		{name: "suspicious-network", severity: audit.Warn, text: "opens a WebSocket to an unusual port", re: c(`new\s+WebSocket\s*\(\s*["'` + "`" + `]wss?://[^"'` + "`" + `]*:(\d+)`)},
		{name: "potential-exfiltration", severity: audit.Warn, text: "reads files and sends to the network", re: c(`\breadFile(Sync)?\s*\(`), also: send},
		{name: "obfuscated-code", severity: audit.Warn, text: "holds encoded text", re: c(`(?:\\x[0-9a-fA-F]{2}){6,}|(?:atob|Buffer\.from)\s*\(\s*["'][A-Za-z0-9+/=]{200,}`)},
	}
	r.skill = []rule{
		{name: "shell-pipe-to-shell", severity: audit.Critical, text: "pipes a download into a shell", re: c(`(?i)\b(curl|wget)\b[^\n|]*\|\s*(sudo\s+)?(ba|z|da)?sh\b`)},
		{name: "secret-exfiltration", severity: audit.Critical, text: "sends credentials away", re: c(`(?i)\b(curl|wget|fetch|post)\b[^\n]*(\.ssh/|\.aws/|\.env\b|id_rsa|API_KEY|SECRET|TOKEN)`)},
		{name: "literal-secret", severity: audit.Critical, text: "holds a secret", re: c(`\bsk-[A-Za-z0-9_-]{32,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bxox[baprs]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{35}|-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
		{name: "destructive-delete", severity: audit.Warn, text: "deletes recursively", re: c(`(?i)\brm\s+-(rf|fr|r\s+-f)\s+(/|~|\$HOME)`)},
		{name: "unsafe-permissions", severity: audit.Warn, text: "opens permissions to everybody", re: c(`\bchmod\s+(-R\s+)?(0?777|a\+w)\b`)},
	}
	return r
})

// File scans one text. Each rule is reported once a file, at its first match.
func File(name string, text []byte) []Issue {
	list := rules().code
	if filepath.Base(name) == "SKILL.md" {
		list = rules().skill
	}
	var out []Issue
	for _, r := range list {
		if line := r.first(text); line > 0 {
			out = append(out, Issue{r.name, r.severity, r.text, name, line})
		}
	}
	return out
}

// first gives the line of the first match that counts, 0 for none.
func (r rule) first(text []byte) int {
	if r.also != nil && !r.also.Match(text) {
		return 0
	}
	const most = 200 // matches looked at
	for _, m := range r.re.FindAllSubmatchIndex(text, most) {
		if r.name == "suspicious-network" && commonPort(string(text[m[2]:m[3]])) {
			continue
		}
		line := 1 + bytes.Count(text[:m[0]], []byte("\n"))
		if r.near > 0 && !r.also.Match(around(text, line, r.near)) {
			continue
		}
		return line
	}
	return 0
}

func commonPort(p string) bool {
	switch p {
	case "80", "443", "8080", "8443", "3000":
		return true
	}
	return false
}

// around gives the lines within n of a line.
func around(text []byte, line, n int) []byte {
	start, end, at := 0, len(text), 1
	for i := 0; i < len(text); i++ {
		if text[i] != '\n' {
			continue
		}
		at++
		if at == line-n {
			start = i + 1
		}
		if at == line+n+1 {
			end = i
			break
		}
	}
	return text[start:end]
}
