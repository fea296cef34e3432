package fold

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxCharset = 24  // of an encoded word
	maxWord    = 256 // bytes of its text
)

// encodedWord decodes =?utf-8?Q?=3C?= and =?utf-8?B?PA==?= of mail headers, and
// the blanks between two of them.
func encodedWord(buf []byte, s string) ([]byte, int) {
	if len(s) < 8 || s[1] != '?' {
		return buf, 0
	}
	i := strings.IndexByte(s[2:min(len(s), maxCharset)], '?') + 3
	if i < 4 || i+2 >= len(s) || s[i+1] != '?' {
		return buf, 0
	}
	kind, from := s[i]|0x20, i+2
	n := strings.IndexByte(s[from:min(len(s), from+maxWord)], '?')
	if n < 0 || kind != 'q' && kind != 'b' || from+n+1 >= len(s) || s[from+n+1] != '=' {
		return buf, 0
	}
	text, end := s[from:from+n], from+n+2
	for j := end; j < len(s) && j-end < 8; j++ {
		if s[j] == '=' && j+1 < len(s) && s[j+1] == '?' {
			end = j
			break
		}
		if s[j] > ' ' {
			break
		}
	}
	if kind == 'b' {
		return appendBits(buf, text), end
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '_' {
			c = ' '
		} else if c == '=' && i+2 < len(text) {
			if v, ok := hexes(text[i+1 : i+3]); ok {
				c, i = byte(v), i+2
			}
		}
		buf = append(buf, c)
	}
	return buf, end
}

// appendBits appends what base64 decodes to, as far as it is base64.
func appendBits(buf []byte, s string) []byte {
	acc, have := uint32(0), 0
	for i := range len(s) {
		v := value64[s[i]]
		if v == none {
			break
		}
		acc, have = acc<<6|uint32(v), have+6
		if have >= 8 {
			have -= 8
			buf = append(buf, byte(acc>>have))
		}
	}
	return buf
}

// octalBraces decodes \o{74}.
func octalBraces(buf []byte, s string) ([]byte, int) {
	if len(s) < 5 || s[2] != '{' {
		return buf, 0
	}
	end := strings.IndexByte(s[:min(len(s), 12)], '}')
	if end < 4 {
		return buf, 0
	}
	v, err := strconv.ParseUint(s[3:end], 8, 21)
	if err != nil {
		return buf, 0
	}
	return utf8.AppendRune(buf, rune(v)), end + 1
}

// css reports whether the escape of two digits at i, which could be octal, is
// one of style sheets: it ends with a blank, or those around it are.
func css(s string, i int) bool {
	if i+3 < len(s) && s[i+3] == ' ' {
		return true
	}
	for j := i - 1; j >= 0 && j > i-20 && (s[j] == '\\' || s[j] == ' ' || isHex(s[j])); j-- {
		if s[j] > '7' && s[j] != '\\' && j > 0 && (s[j-1] == '\\' || j > 1 && s[j-2] == '\\') {
			return true
		}
	}
	for j := i + 1; j < len(s) && j < i+20 && (s[j] == '\\' || s[j] == ' ' || isHex(s[j])); j++ {
		if s[j] > '7' && s[j] != '\\' && (s[j-1] == '\\' || s[j-2] == '\\') {
			return true
		}
	}
	return false
}

// styled decodes \3c with its closing blank.
func styled(buf []byte, s string) ([]byte, int) {
	v, _ := hexes(s[1:3])
	if len(s) > 3 && s[3] == ' ' {
		return append(buf, byte(v)), 4
	}
	return append(buf, byte(v)), 3
}
