package fold

import (
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// MinBlock is the length in bytes from which a run is tried as an encoded block.
const MinBlock = 16

// Block is an encoded stretch of a text and what it decodes to.
type Block struct {
	Start, End int
	Text       string
}

// Blocks calls yield with every stretch of s that decodes, as base64, base32,
// hex, ascii85 or a list of character codes, to text. Each stretch is decoded
// at most once per alphabet, so the cost is linear; yield returns false to stop.
func Blocks(s string, yield func(Block) bool) {
	for i := 0; i < len(s); {
		for i < len(s) && s[i] <= ' ' {
			i++
		}
		start := i
		for i < len(s) && s[i] > ' ' {
			i++
		}
		if i > start && codeStart(s[start]) {
			b, end := codeList(s, start)
			if b != "" && !yield(Block{start, end, b}) {
				return
			}
			if end > i { // even in vain: nothing is read twice
				i = end
				continue
			}
		}
		if i-start < MinBlock {
			continue
		}
		end := continued(s, start, i)
		if !word(s, start, i, end, yield) {
			return
		}
		i = end
	}
}

// continued extends a run over line breaks, as MIME and PEM wrap base64.
func continued(s string, start, end int) int {
	width := end - start
	for width >= 40 && end < len(s) && (s[end] == '\n' || s[end] == '\r') {
		i := end + 1
		if s[end] == '\r' && i < len(s) && s[i] == '\n' {
			i++
		}
		from := i
		for i < len(s) && alphabet[s[i]]&is64 != 0 {
			i++
		}
		if i == from || i-from > width || i < len(s) && s[i] != '\n' && s[i] != '\r' {
			break
		}
		end = i
		if i-from < width {
			break
		}
	}
	return end
}

const (
	is64 = 1 << iota
	is32
	is16
)

var alphabet = func() (a [256]byte) {
	for c := 0; c < 128; c++ {
		b := byte(c)
		if isAlnum(b) || strings.IndexByte("+/-_=", b) >= 0 {
			a[c] |= is64
		}
		if b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '2' && b <= '7' || b == '=' {
			a[c] |= is32
		}
		if isHex(b) {
			a[c] |= is16
		}
	}
	a['\n'], a['\r'] = 0xff, 0xff
	return a
}()

// word tries the runs of one alphabet inside a stretch without blanks, which
// base64 may go on with behind the end of its line.
func word(s string, start, line, end int, yield func(Block) bool) bool {
	for i := start; i < end; {
		if alphabet[s[i]]&is64 == 0 {
			i++
			continue
		}
		j, all := i, byte(0xff)
		for j < end && alphabet[s[j]]&is64 != 0 {
			if s[j] != '=' {
				all &= alphabet[s[j]]
			}
			j++
		}
		if j-i >= MinBlock {
			if t := runOf(s[i:j], all); t != "" && !yield(Block{i, j, t}) {
				return false
			}
		}
		i = j
	}
	if line-start >= 2*MinBlock {
		if t := eightyFive(s[start:line]); t != "" {
			return yield(Block{start, line, t})
		}
	}
	return true
}

// runOf decodes a run, whose characters all have the given alphabets.
func runOf(s string, all byte) string {
	if all&is16 != 0 {
		if t := tryHex(s); t != "" {
			return t
		}
	}
	if all&is32 != 0 {
		if t := try(s, decode32); t != "" {
			return t
		}
	}
	for skip := range 4 { // a prefix may have been glued to it
		if noText64(s[skip:]) {
			continue
		}
		if t := try(s[skip:], decode64); t != "" {
			return t
		}
	}
	return ""
}

// noText64 reports, without decoding the whole, that try would find no text
// in s as base64; false if it cannot tell.
func noText64(s string) bool {
	if len(s) > 64 {
		s = s[:40]
	}
	var buf [48]byte
	n, bits, have := 0, uint32(0), 0
	for i := range len(s) - boolInt(len(s)%4 == 1) {
		v := value64(s[i])
		if v < 0 {
			return false
		}
		bits, have = bits<<6|uint32(v), have+6
		if have >= 8 {
			have -= 8
			buf[n] = byte(bits >> have)
			n++
		}
	}
	return !isText(buf[:n])
}

// value64 is the value of a digit of base64, of either alphabet; -1 for others.
func value64(c byte) int {
	switch {
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}
	return -1
}

func tryHex(s string) string {
	for skip := range 2 {
		if t := try(s[skip:], func(s string) []byte {
			b, _ := hex.DecodeString(clean(s)[:len(clean(s))&^1])
			return b
		}); t != "" {
			return t
		}
	}
	return ""
}

// try decodes the head of s first: most runs are no text, and the whole of
// them need not be decoded to see it.
func try(s string, decode func(string) []byte) string {
	if len(s) > 64 && !isText(decode(s[:40])) {
		return ""
	}
	if b := decode(s); isText(b) {
		return strings.ToValidUTF8(string(b), "")
	}
	return ""
}

func decode64(s string) []byte {
	s = strings.TrimRight(clean(s), "=")
	if strings.ContainsAny(s, "-_") {
		s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	}
	b := make([]byte, base64.RawStdEncoding.DecodedLen(len(s)))
	n, _ := base64.RawStdEncoding.Decode(b, []byte(s[:len(s)-boolInt(len(s)%4 == 1)]))
	return b[:n]
}

func decode32(s string) []byte {
	s = strings.ToUpper(strings.TrimRight(clean(s), "="))
	b := make([]byte, len(s))
	n, _ := base32.StdEncoding.WithPadding(base32.NoPadding).Decode(b, []byte(s))
	return b[:n]
}

// eightyFive decodes ascii85, with or without its brackets.
func eightyFive(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "<~"), "~>")
	return try(s, func(s string) []byte {
		b := make([]byte, len(s)+8)
		n, _, err := ascii85.Decode(b, []byte(s), true)
		if err != nil {
			return nil
		}
		return b[:n]
	})
}

func clean(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		return strings.NewReplacer("\r", "", "\n", "").Replace(s)
	}
	return s
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// isText reports whether decoded bytes read as text.
func isText(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	bad := 0
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 && len(b)-i > 3 || r < ' ' && r != '\n' && r != '\t' && r != '\r' {
			if bad += 16; bad > len(b) {
				return false
			}
		}
		i += n
	}
	return true
}

func codeStart(c byte) bool { return isHex(c) || c == '\\' || c == '#' }

// codeList decodes a list of at least MinBlock character codes in hex,
// decimal or binary that starts at i, such as "3c 3c 3c" or "60,60,60".
func codeList(s string, i int) (string, int) {
	var hexa, deci, bina []byte
	items, end := 0, i
	okHex, okDec, okBin := true, true, true
	for i < len(s) && items < 1<<16 {
		if i+1 < len(s) && s[i] == '0' && s[i+1]|0x20 == 'x' {
			i += 2
		}
		j := i
		for j < len(s) && isHex(s[j]) && j-i < 9 {
			j++
		}
		v, ok := hexes(s[i:j])
		if !ok || j-i < 2 {
			break
		}
		dec, bin, decOK, binOK := numbers(s[i:j])
		okHex, okDec, okBin = okHex && j-i == 2, okDec && decOK, okBin && binOK
		if !okHex && !okDec && !okBin {
			break
		}
		hexa, deci, bina = append(hexa, byte(v)), append(deci, dec), append(bina, bin)
		items, end = items+1, j
		for i = j; i < len(s) && i-j < 3 && strings.IndexByte(" ,:;-\r\n", s[i]) >= 0; i++ {
		}
		if i == j {
			break
		}
	}
	if items < MinBlock {
		return "", 0
	}
	for _, c := range []struct {
		ok bool
		b  []byte
	}{{okBin, bina}, {okHex, hexa}, {okDec, deci}} {
		if c.ok && isText(c.b) {
			return string(c.b), end
		}
	}
	return "", end
}

// numbers reads digits as decimal and as binary.
func numbers(s string) (dec, bin byte, decOK, binOK bool) {
	d, b := 0, 0
	decOK, binOK = len(s) <= 3, len(s) >= 7 && len(s) <= 8
	for i := 0; i < len(s); i++ {
		decOK = decOK && s[i] <= '9'
		binOK = binOK && (s[i] == '0' || s[i] == '1')
		d, b = d*10+int(s[i]-'0')%10, b<<1|int(s[i]&1)
	}
	return byte(d), byte(b), decOK && d < 256 && d >= 9, binOK
}
