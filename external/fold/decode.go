package fold

import (
	"html"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/runenames"
)

// Decode undoes one level of the encodings that stand inside running text:
// HTML entities, percent, JSON, JS, C and CSS escapes, quoted-printable and
// UTF-7. What is no valid code stays as it is.
func Decode(s string) (t Text) {
	t.Decode(s)
	return t
}

// Decode is the function Decode, in place.
func (t *Text) Decode(s string) { t.fold(s, decodeStep, &uncoded) }

// uncoded are the bytes that begin no code.
var uncoded = func() (k plain) {
	for i := range k {
		k[i] = 1
	}
	for _, c := range `&%\=+` {
		k[c] = 0
	}
	return k
}()

func decodeStep(buf []byte, s string, i int) ([]byte, int) {
	b, n := buf, 0
	switch s[i] {
	case '&':
		b, n = entity(buf, s[i:])
	case '%':
		b, n = percent(buf, s[i:])
	case '\\':
		if b, n = backslash(buf, s[i:]); n == 3 && s[i+1] < '8' && css(s, i) {
			b, n = styled(buf, s[i:])
		}
	case '=':
		if b, n = encodedWord(buf, s[i:]); n == 0 && !padding(s, i) {
			b, n = quotedPrintable(buf, s[i:])
		}
	case '+':
		b, n = utf7(buf, s[i:])
	}
	if n == 0 {
		return append(buf, s[i]), 1
	}
	return b, n
}

// entity decodes &name; &#60; &#x3c; and IMAP's &ADw-.
func entity(buf []byte, s string) ([]byte, int) {
	n := 1
	for n < len(s) && n < 34 && (isAlnum(s[n]) || n == 1 && s[n] == '#') {
		n++
	}
	if n < len(s) && s[n] == '-' {
		if b, m := utf7(buf, s); m > 0 {
			return b, m
		}
	}
	if n < 3 {
		return buf, 0
	}
	if n < len(s) && s[n] == ';' {
		n++
	}
	switch s[:n] { // most of those that are met
	case "&lt;":
		return append(buf, '<'), n
	case "&gt;":
		return append(buf, '>'), n
	case "&amp;":
		return append(buf, '&'), n
	case "&quot;":
		return append(buf, '"'), n
	case "&nbsp;":
		return append(buf, "\u00a0"...), n
	}
	d := html.UnescapeString(s[:n])
	if d == s[:n] {
		if d = html.UnescapeString(strings.ToLower(s[:n])); strings.EqualFold(d, s[:n]) {
			return buf, 0
		}
	}
	return append(buf, d...), n
}

// padding reports whether the = at i, at the end of its line, is the padding of
// a block: it breaks no line.
func padding(s string, i int) bool {
	if i < MinBlock || i+1 < len(s) && s[i+1] > ' ' {
		return false
	}
	for _, c := range []byte(s[i-MinBlock : i]) {
		if value64[c] == none {
			return false
		}
	}
	return true
}

// percent decodes %3c and %u003c.
func percent(buf []byte, s string) ([]byte, int) {
	if len(s) >= 6 && s[1]|0x20 == 'u' {
		if v, ok := hexes(s[2:6]); ok {
			return utf8.AppendRune(buf, v), 6
		}
	}
	if len(s) >= 3 {
		if v, ok := hexes(s[1:3]); ok {
			return append(buf, byte(v)), 3
		}
	}
	return buf, 0
}

// quotedPrintable decodes =3C and a soft line break.
func quotedPrintable(buf []byte, s string) ([]byte, int) {
	switch {
	case len(s) >= 3 && s[1] == '\r' && s[2] == '\n':
		return buf, 3
	case len(s) >= 2 && s[1] == '\n':
		return buf, 2
	case len(s) >= 3 && s[1] == ' ' && (s[2] == '\n' || s[2] == '\r'): // a blank that a mailer left
		return buf, 3
	case len(s) >= 3:
		if v, ok := hexes(s[1:3]); ok {
			return append(buf, byte(v)), 3
		}
	}
	return buf, 0
}

// backslash decodes the escapes of JSON, JavaScript, C, Python and CSS.
func backslash(buf []byte, s string) ([]byte, int) {
	if len(s) < 2 {
		return buf, 0
	}
	switch c := s[1]; c {
	case 'u', 'U':
		return unicodeEscape(buf, s)
	case 'x':
		if len(s) >= 4 {
			if v, ok := hexes(s[2:4]); ok {
				return append(buf, byte(v)), 4
			}
		}
		return braced(buf, s)
	case 'o':
		return octalBraces(buf, s)
	case 'N':
		return named(buf, s)
	case 'n', 'r', 't', 'v', 'f':
		return append(buf, ' '), 2
	default:
		switch {
		case isHex(c):
			return numeric(buf, s)
		case c < 0x80 && !isAlnum(c) && c >= ' ':
			return append(buf, c), 2
		}
	}
	return buf, 0
}

// unicodeEscape decodes \u003c, a surrogate pair of them, \u{3c} and \U0000003c.
func unicodeEscape(buf []byte, s string) ([]byte, int) {
	if s[1] == 'U' && len(s) >= 10 {
		if v, ok := hexes(s[2:10]); ok {
			return utf8.AppendRune(buf, v), 10
		}
	}
	if len(s) < 6 {
		return braced(buf, s)
	}
	v, ok := hexes(s[2:6])
	if !ok {
		return braced(buf, s)
	}
	if utf16.IsSurrogate(v) && len(s) >= 12 && s[6] == '\\' && s[7] == s[1] {
		if w, ok := hexes(s[8:12]); ok {
			if r := utf16.DecodeRune(v, w); r != utf8.RuneError {
				return utf8.AppendRune(buf, r), 12
			}
		}
	}
	return utf8.AppendRune(buf, v), 6
}

// braced decodes \u{3c} and \x{3c}.
func braced(buf []byte, s string) ([]byte, int) {
	if len(s) < 5 || s[2] != '{' {
		return buf, 0
	}
	end := strings.IndexByte(s[:min(len(s), 12)], '}')
	if end < 4 {
		return buf, 0
	}
	v, ok := hexes(s[3:end])
	if !ok {
		return buf, 0
	}
	return utf8.AppendRune(buf, v), end + 1
}

// named decodes \N{LESS-THAN SIGN}, for what ASCII holds.
func named(buf []byte, s string) ([]byte, int) {
	if len(s) < 4 || s[2] != '{' {
		return buf, 0
	}
	end := strings.IndexByte(s[:min(len(s), 40)], '}')
	if end < 0 {
		return buf, 0
	}
	var name [40]byte
	n := copy(name[:], s[3:end])
	for i, c := range name[:n] {
		if c >= 'a' && c <= 'z' {
			name[i] = c - 'a' + 'A'
		}
	}
	if c, ok := asciiNames()[string(name[:n])]; ok {
		return append(buf, c), end + 1
	}
	return buf, 0
}

// asciiNames are the characters of ASCII by their names in Unicode.
var asciiNames = sync.OnceValue(func() map[string]byte {
	t := map[string]byte{}
	for r := rune(' '); r < 0x7f; r++ {
		t[runenames.Name(r)] = byte(r)
	}
	return t
})

// numeric decodes octal \74 and CSS \3c or \00003c with its closing blank.
func numeric(buf []byte, s string) ([]byte, int) {
	n, octal := 1, true
	for n < len(s) && n < 7 && isHex(s[n]) {
		octal = octal && s[n] < '8'
		n++
	}
	if octal && n > 2 && n <= 4 {
		if v, err := strconv.ParseUint(s[1:n], 8, 16); err == nil && v < 0x100 {
			return append(buf, byte(v)), n
		}
	}
	if n < 3 {
		return buf, 0
	}
	v, ok := hexes(s[1:n])
	for !ok || v >= 0x3000 || n > 3 && s[1] != '0' { // digits of the text that follows
		if n--; n < 3 {
			return buf, 0
		}
		v, ok = hexes(s[1:n])
	}
	if n < len(s) && s[n] == ' ' {
		n++
	}
	return utf8.AppendRune(buf, v), n
}

// utf7 decodes +ADw- (and IMAP's &ADw-): base64 of UTF-16.
func utf7(buf []byte, s string) ([]byte, int) {
	n, acc, have, at := 1, uint32(0), 0, len(buf)
	for ; n < len(s) && n < 200; n++ {
		v := value64[s[n]]
		if s[n] == ',' { // IMAP's slash
			v = 63
		}
		if v == none || s[n] == '-' || s[n] == '_' {
			break
		}
		if acc, have = acc<<6|uint32(v), have+6; have < 16 {
			continue
		}
		have -= 16
		r := rune(acc >> have & 0xffff)
		if r > 0xFF && r < 0x2000 || r == 0 { // not what anybody writes this way
			return buf[:at], 0
		}
		buf = utf8.AppendRune(buf, r)
	}
	if n < 4 || n >= len(s) || s[n] != '-' && n%4 != 0 {
		return buf[:at], 0
	}
	if s[n] == '-' {
		n++
	}
	return buf, n
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// hexes is the value of a string of hex digits.
func hexes(s string) (v rune, ok bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, len(s) > 0 && v >= 0
}
