package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strings"

	"github.com/chitin-sh/chitin/secrets"
)

const (
	// minValue is the shortest value that is looked for: replacing every
	// "on" or "1234" would destroy text and hide nothing.
	minValue = 4
	// minBounded is the length below which a value must stand alone.
	minBounded = 8
	// minEncoded is the shortest value that is looked for encoded.
	minEncoded = 6
)

// form is one way in which a value may be written.
type form struct {
	text    string
	bounded bool // only where no letter or digit touches it
	tail    int  // characters after it that hold its last bits in base64
}

// forms lists every way in which the values may be written, each once.
func forms(values []secrets.Value) []form {
	seen := map[string]bool{}
	var out []form
	push := func(f form) {
		if len(f.text) >= minValue && !seen[f.text] {
			seen[f.text] = true
			out = append(out, f)
		}
	}
	add := func(s string, bounded bool) { push(form{text: s, bounded: bounded}) }
	for _, v := range values {
		s := v.Reveal()
		add(s, len(s) < minBounded)
		if t := strings.TrimSpace(s); t != s {
			add(t, len(t) < minBounded)
		}
		if len(s) < minEncoded {
			continue
		}
		for _, f := range escaped(s) {
			add(f, false)
		}
		for _, f := range based(s) {
			push(f)
		}
		add(hex.EncodeToString([]byte(s)), false)
		// The lines of a key are secret on their own: tools print them
		// indented, numbered or one at a time.
		if strings.Contains(s, "\n") {
			for line := range strings.SplitSeq(s, "\n") {
				if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") {
					add(line, false)
				}
			}
		}
	}
	return out
}

// escaped are the value inside JSON, URLs, HTML and quoted shell words.
func escaped(s string) []string {
	quoted, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	js := string(quoted[1 : len(quoted)-1])
	plain := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(js, `\u003c`, "<"), `\u003e`, ">"), `\u0026`, "&")
	q, p := url.QueryEscape(s), url.PathEscape(s)
	return []string{
		js, plain, strings.ReplaceAll(plain, "/", `\/`), twice(js), twice(plain),
		q, p, strings.ReplaceAll(q, "+", "%20"), lowerHex(q), lowerHex(p), url.UserPassword("", s).String()[1:],
		html.EscapeString(s), strings.ReplaceAll(s, `'`, `'\''`),
	}
}

// twice is JSON text inside a JSON string.
func twice(js string) string {
	return strings.ReplaceAll(strings.ReplaceAll(js, `\`, `\\`), `"`, `\"`)
}

// lowerHex writes percent escapes with small letters.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

// based are the parts of a base64 text that are the same wherever in it the
// value begins: "user:value" encoded for basic authentication holds one.
func based(s string) []form {
	var out []form
	for shift := range 3 {
		padded := strings.Repeat("\x00", shift) + s
		whole := len(padded) / 3 * 3
		std := base64.RawStdEncoding.EncodeToString([]byte(padded[:whole]))
		from := (shift*8 + 5) / 6
		if len(std)-from < 8 {
			continue
		}
		tail := len(padded) - whole
		if tail > 0 {
			tail++
		}
		std = std[from:]
		out = append(out, form{text: std, tail: tail}, form{text: strings.ReplaceAll(strings.ReplaceAll(std, "+", "-"), "/", "_"), tail: tail})
	}
	return out
}
