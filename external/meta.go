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

// appendSource appends how a source is written for a model.
func appendSource(b []byte, source string) []byte {
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
		return append(b, "External"...)
	}
	b = append(b, label...)
	if rest != "" {
		b = append(b, " ("...)
		b = appendInline(b, rest)
		b = append(b, ')')
	}
	return b
}

// sourceName is the source as labels keep it: lower case, no blanks.
func sourceName(s string) string {
	if plainSource(s) {
		return s
	}
	s = strings.ToLower(strings.Join(strings.Fields(Inline(s)), "_"))
	if s == "" {
		return "external"
	}
	return s
}

// plainSource reports whether s is a source's name already, and too short to
// hide anything.
func plainSource(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != ':' && c != '.' {
			return false
		}
	}
	return s != "" && len(s) < fold.MinBlock
}

// appendMeta appends the line under the begin marker.
func appendMeta(b []byte, source string, m Meta) []byte {
	b = append(b, "Source: "...)
	b = appendSource(b, source)
	for _, f := range [...]struct{ key, value string }{{" | Task: ", m.Task}, {" | From: ", m.From}, {" | Subject: ", m.Subject}} {
		at := len(b)
		b = append(b, f.key...)
		from := len(b)
		if b = appendInline(b, f.value); len(b) == from {
			b = b[:at]
		}
	}
	return b
}

// Inline makes one line of a field that came from outside: no line breaks, no
// control or bidi characters, no forged markers, no field separators, and not
// longer than 300 bytes.
func Inline(s string) string { return string(appendInline(nil, s)) }

// appendInline appends what Inline makes of s.
func appendInline(b []byte, s string) []byte {
	if len(s) > 4*maxMeta {
		s = s[:4*maxMeta]
	}
	s, _ = boundary.Clean(s)
	from, blank := len(b), false
	for _, r := range s {
		_, kind := fold.Rune(r)
		switch {
		case r == '|' || r == '\uFF5C':
			r = '/'
		case unicode.IsSpace(r) || kind == fold.Space:
			blank = len(b) > from
			continue
		case r < ' ' || r == 0x7f || r == utf8.RuneError,
			kind == fold.Tag, kind == fold.Drop && !unicode.Is(unicode.M, r):
			continue
		}
		if len(b)-from+1+utf8.RuneLen(r) > maxMeta {
			return append(b, "…"...)
		}
		if blank {
			b, blank = append(b, ' '), false
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// datamark is the sign that takes the place of blanks. It is a letter to every
// tokenizer, not seen in ordinary text, and folds to nothing that matters.
const datamark = "\u02C6"

// transform writes the content as the mode has it.
func transform(b *strings.Builder, s string, m Mode) {
	switch m {
	case ModeDatamark:
		mark(b, strings.ReplaceAll(s, datamark, "^"))
	case ModeEncode:
		wrapLines(b, base64.StdEncoding.EncodeToString([]byte(s)))
	default:
		b.WriteString(s)
	}
}

// sizeOf is about the size of what transform writes.
func sizeOf(s string, m Mode) int {
	switch m {
	case ModeDatamark:
		return len(s) + len(s)/4
	case ModeEncode:
		return len(s)/3*4 + len(s)/54 + 8
	}
	return len(s)
}

// mark joins the words of every line with the datamark.
func mark(b *strings.Builder, s string) {
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
}

// wrapLines breaks base64 into lines of 76.
func wrapLines(b *strings.Builder, s string) {
	for len(s) > 76 {
		b.WriteString(s[:76])
		b.WriteByte('\n')
		s = s[76:]
	}
	b.WriteString(s)
}
