package fold

import (
	"strings"

	"github.com/chitin-sh/chitin/internal/swar"
)

// MinBlock is the length in bytes from which a run is tried as an encoded block.
const MinBlock = 16

// Block is an encoded stretch of a text and what it decodes to.
type Block struct {
	Start, End int
	Text       string
}

// Blocks calls yield with every stretch of s that decodes, as base64, base32,
// hex, ascii85 or a list of character codes, to text. It takes time linear in
// len(s), and no memory but for what decodes; yield returns false to stop.
func Blocks(s string, yield func(Block) bool) {
	if lists(s, yield) && wrapped(s, yield) && groups(s, yield) && adobe(s, yield) {
		words(s, yield)
	}
}

// words tries the stretches without blanks that are long enough. Such a one
// holds at least one of any eight bytes that lie nine apart whole.
func words(s string, yield func(Block) bool) bool {
	for i, from := 0, 0; i+8 <= len(s); {
		if n := lastBlank(swar.Load8(s, i)); n >= 0 {
			i += n + 9
			continue
		}
		a, b := i, i+8
		for a > from && s[a-1] > ' ' {
			a--
		}
		for b < len(s) && s[b] > ' ' {
			b++
		}
		if b-a >= MinBlock && !word(s, a, b, yield) {
			return false
		}
		i, from = b+1, b
	}
	return true
}

// word tries the runs of one alphabet inside a stretch without blanks. Every
// sixteenth byte is looked at, and those around it if it is of the alphabet.
func word(s string, start, end int, yield func(Block) bool) bool {
	for i := start; i+MinBlock <= end; {
		j := i + MinBlock - 1
		if value64[s[j]] == none {
			i = j + 1
			continue
		}
		for j > i && value64[s[j-1]] != none {
			j--
		}
		if j > i {
			i = j
			continue
		}
		for j += MinBlock; j < end && value64[s[j]] != none; j++ {
		}
		if !run(s[i:j], func(a, b int, t string) bool { return yield(Block{i + a, padded(s, i+b), t}) }) {
			return false
		}
		i = j + 1
	}
	if end-start >= 2*MinBlock {
		if t := eightyFive(s[start:end]); t != "" {
			return yield(Block{start, end, t})
		}
	}
	return true
}

// padded is where the padding after i ends.
func padded(s string, i int) int {
	for n := 0; n < 6 && i < len(s) && s[i] == '='; n++ {
		i++
	}
	return i
}

// run tries a run of the characters of base64, which are those of base32 and
// hex too. Something may have been glued to either end of what is encoded.
func run(s string, yield func(a, b int, t string) bool) bool {
	try := byte(tryHex | tryBits | try32 | try32Hex)
	if hasCapital(s) {
		try |= try64
	}
	for i := 0; i+MinBlock <= len(s); {
		first := firstOf[s[i]] & try
		if first == 0 {
			i++
			continue
		}
		n, code := 0, &base64Code
		if first&try64 != 0 {
			n = base64Code.length(s[i:])
		}
		if n == 0 && first&tryHex != 0 {
			n, code = hexCode.length(s[i:]), &hexCode
		}
		if n == 0 && first&tryBits != 0 {
			n, code = bitCode.length(s[i:]), &bitCode
		}
		if n == 0 && first&try32 != 0 && (i == 0 || value32[s[i-1]] == none) {
			n, code = base32Code.length(s[i:]), &base32Code
		}
		if n == 0 && first&try32Hex != 0 && (i == 0 || value32Hex[s[i-1]] == none) {
			n, code = base32Hex.length(s[i:]), &base32Hex
		}
		if n == 0 {
			i++
			continue
		}
		if !yield(i, i+n, code.text(s[i:i+n])) {
			return false
		}
		i += n
	}
	return true
}

// hasCapital reports whether a run may be base64 of text. Without a capital it
// is not: every third byte would be one of half of the letters from j on.
func hasCapital(s string) bool {
	for i := range len(s) {
		if s[i]-'A' < 26 {
			return true
		}
	}
	return false
}

// Which codes may begin with a character.
const (
	try64 = 1 << iota
	tryHex
	tryBits
	try32
	try32Hex
)

var firstOf = func() (t [256]byte) {
	for c := range t {
		t[c] = base64Code.first[c]*try64 | hexCode.first[c]*tryHex | base32Code.first[c]*try32 | base32Hex.first[c]*try32Hex
		if c <= '1' {
			t[c] |= bitCode.first[c] * tryBits
		}
	}
	return t
}()

// adobe tries what stands between the brackets of ascii85, over lines.
func adobe(s string, yield func(Block) bool) bool {
	for at := 0; ; {
		a := strings.Index(s[at:], "<~")
		if a < 0 {
			return true
		}
		a += at
		n := strings.Index(s[a+2:], "~>")
		if n < 0 {
			return true
		}
		at = a + 2 + n + 2
		if t := eightyFive(unblank(s[a+2 : a+2+n])); t != "" && !yield(Block{a, at, t}) {
			return false
		}
	}
}

// unblank is s without blanks and line breaks.
func unblank(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, s)
}

// wrapped tries runs that go on over lines of one length, as MIME and PEM break
// base64, behind a quote's sign or a comment's, too.
func wrapped(s string, yield func(Block) bool) bool {
	for at := 0; ; {
		n := strings.IndexByte(s[at:], '\n')
		if n < 0 {
			return true
		}
		n += at
		at = n + 1
		end := n
		if n > 0 && s[n-1] == '\r' {
			end--
		}
		if end < 4 || value64[s[end-1]] == none {
			continue
		}
		from, to := row(s, n+1)
		if to-from < 2 {
			continue
		}
		start := end
		for start > 0 && end-start <= to-from+1<<12 && value64[s[start-1]] != none {
			start--
		}
		if end-start < 4 || to-from > end-start {
			continue
		}
		joined, stop := unwrap(s, start, end)
		if at = max(at, stop-(end-start)); len(joined) < MinBlock { // the last line may begin another block
			continue
		}
		if !run(joined, func(_, _ int, t string) bool { return yield(Block{start, padded(s, stop), t}) }) {
			return false
		}
	}
}

// row is the line at i, behind its indent, if it holds nothing but characters
// of base64.
func row(s string, i int) (from, to int) {
	for n := 0; n < 8 && i < len(s) && indent(s[i]); n++ {
		i++
	}
	from = i
	for i < len(s) && value64[s[i]] != none {
		i++
	}
	to = i
	for i < len(s) && s[i] == '=' && i-to < 2 {
		i++
	}
	if i < len(s) && s[i] != '\n' && s[i] != '\r' {
		return from, from
	}
	return from, to
}

// indent reports whether c stands before a quoted or commented line.
func indent(c byte) bool {
	return c == ' ' || c == '\t' || c == '>' || c == '|' || c == '#' || c == '*'
}

// unwrap joins the line [start, end) with those after it that go on with it,
// and is where they end.
func unwrap(s string, start, end int) (string, int) {
	width := end - start
	joined := append(make([]byte, 0, 4*width), s[start:end]...)
	for end < len(s) {
		i := end
		for i < len(s) && (s[i] == '\r' || s[i] == '=') {
			i++
		}
		if i >= len(s) || s[i] != '\n' {
			break
		}
		from, to := row(s, i+1)
		if to == from || to-from > width {
			break
		}
		joined = append(joined, s[from:to]...)
		end = to
		if to-from < width {
			break
		}
	}
	return View(joined), end
}
