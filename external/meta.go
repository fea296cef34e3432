package external

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/external/boundary"
	"github.com/chitin-sh/chitin/external/fold"
)

// maxMeta is the length in bytes that one field of metadata may have.
const maxMeta = 300

// sourceLabel is how a source is sources are written for a model.
func sourceLabel(source string) string {
	kind, rest, _ := strings.Cut(source, ":")
	label := ""
	switch kind {
	case "email":
		label = "Email"
	case "webhook":
		label = "Webhook"
	case "api":
		label = "API"
	case "browser":
		label = "Browser"
	case "channel_metadata":
		label = "Channel metadata"
	case "web_search":
		label = "Web Search"
	case "web_fetch":
		label = "Web Fetch"
	case "mcp":
		label = "MCP server"
	case "subagent":
		label = "Sub-agent"
	case "file":
		label = "File"
	default:
		return "External"
	}
	if rest != "" {
		label += " (" + Inline(rest) + ")"
	}
	return label
}

// sourceName is the source as labels keep it: lower case, no blanks.
func sourceName(s string) string {
	s = strings.ToLower(strings.Join(strings.Fields(Inline(s)), "_"))
	if s == "" {
		return "external"
	}
	return s
}

// metaLine is the line under the begin marker.
func metaLine(source string, m Meta) string {
	var b strings.Builder
	b.WriteString("Source: " + sourceLabel(source))
	for _, f := range [...]struct{ key, value string }{{"Task", m.Task}, {"From", m.From}, {"Subject", m.Subject}} {
		if v := Inline(f.value); v != "" {
			b.WriteString(" | " + f.key + ": " + v)
		}
	}
	return b.String()
}

// Inline makes one line of a field that came from outside: no line breaks, no
// control or bidi characters, no forged markers, no field separators, and not
// longer than 300 bytes.
func Inline(s string) string {
	if len(s) > 4*maxMeta {
		s = s[:4*maxMeta]
	}
	s, _ = boundary.Clean(s)
	var b strings.Builder
	for _, r := range s {
		_, kind := fold.Rune(r)
		switch {
		case r == '|' || r == '\uFF5C':
			r = '/'
		case unicode.IsSpace(r) || kind == fold.Space:
			r = ' '
		case r < ' ' || r == 0x7f || r == utf8.RuneError,
			kind == fold.Tag, kind == fold.Drop && !unicode.Is(unicode.M, r):
			continue
		}
		if b.Len()+utf8.RuneLen(r) > maxMeta {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// datamark is the sign that takes the place of blanks. It is a letter to every
// tokenizer, not seen in ordinary text, and folds to nothing that matters.
const datamark = "\u02C6"

// transform is the content as the mode has it.
func transform(s string, m Mode) string {
	switch m {
	case ModeDatamark:
		return mark(strings.ReplaceAll(s, datamark, "^"))
	case ModeEncode:
		return wrapLines(base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return s
}

// mark joins the words of every line with the datamark.
func mark(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	start := true
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteByte('\n')
			start = true
			continue
		case start:
			b.WriteString(datamark)
			start = false
		}
		if unicode.IsSpace(r) {
			b.WriteString(datamark)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// wrapLines breaks base64 into lines of 76.
func wrapLines(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/76 + 1)
	for len(s) > 76 {
		b.WriteString(s[:76])
		b.WriteByte('\n')
		s = s[76:]
	}
	b.WriteString(s)
	return b.String()
}
