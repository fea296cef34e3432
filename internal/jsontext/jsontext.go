// Package jsontext writes and takes apart small JSON texts without reflection,
// for the paths that every call takes. What it writes and reads is what
// encoding/json does.
package jsontext

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s to dst as a JSON string. Characters of HTML stay as
// they are; what is not UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if (r != utf8.RuneError || size > 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
			dst = appendEscaped(append(dst, s[from:i]...), r)
			i += size
		} else {
			dst = appendEscaped(append(dst, s[from:i]...), rune(c))
			i++
		}
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// Members calls fn with the names, unquoted, and the values, as they are
// written, of a JSON object's members in their order; values are parts of b.
// It reports false when b is not valid JSON or not an object.
func Members(b []byte, fn func(name string, value json.RawMessage)) bool {
	if !json.Valid(b) {
		return false
	}
	i := space(b, 0)
	if b[i] != '{' {
		return false
	}
	i = space(b, i+1)
	for b[i] != '}' {
		end := skipString(b, i)
		name, ok := Unquote(b[i:end])
		if !ok {
			return false
		}
		i = space(b, space(b, end)+1) // the colon
		end = skipValue(b, i)
		fn(name, b[i:end:end])
		if i = space(b, end); b[i] == ',' {
			i = space(b, i+1)
		}
	}
	return true
}

// Unquote reads a valid JSON string; ok is false for any other value.
func Unquote(v []byte) (s string, ok bool) {
	if len(v) < 2 || v[0] != '"' {
		return "", false
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	err := json.Unmarshal(v, &s)
	return s, err == nil
}

// The functions below walk through text that is known to be valid JSON.

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		default:
			if depth == 0 && (b[i] == ',' || space(b, i) != i) {
				return i
			}
			i++
			continue
		}
		i++
		if depth == 0 {
			return i
		}
	}
	return i
}
