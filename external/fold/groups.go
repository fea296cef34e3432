package fold

import (
	"strings"

	"github.com/chitin-sh/chitin/internal/swar"
)

// inGroup are the characters that stand between the groups of a code that is
// written apart, as in "PDw8 RU5E" or between the strings of a program.
func inGroup(c byte) bool {
	return c == ' ' || c == '"' || c == '\'' || c == ',' || c == '\n' || c == '\r'
}

// inRow are those and the characters of base64.
var inRow = func() (t plain) {
	for c := range t {
		if value64[c] != none || inGroup(byte(c)) {
			t[c] = 1
		}
	}
	return t
}()

// minGroups is how many groups of one length are worth a look.
const minGroups = 4

// groups tries the stretches in which words of one length follow each other.
// Base64 has many capitals and digits: where a look at eight bytes in each 32
// finds no two, there is none.
func groups(s string, yield func(Block) bool) bool {
	for p := 0; p+8 <= len(s); p += 32 {
		if !twoCapitals(swar.Load8(s, p)) {
			continue
		}
		a, b := p, inRow.skip(s, p)
		for a > 0 && inRow[s[a-1]] != 0 {
			a--
		}
		if b-a > 2*MinBlock && !grouped(s[:b], a, yield) {
			return false
		}
		for p+32 < b {
			p += 32
		}
	}
	return true
}

// row of words of one length, with the same between all of them.
type wordRow struct {
	start, end, width, n int
	sep                  string
}

// block decodes the row; end is where it may begin.
func (w *wordRow) block(s string, yield func(Block) bool) bool {
	if w.n < minGroups || (w.n-1)*w.width < MinBlock || strings.Trim(w.sep, "\r\n") == "" { // wrapped knows lines

		return true
	}
	joined := strings.ReplaceAll(s[w.start:w.end], w.sep, "")
	return run(joined, func(_, _ int, t string) bool { return yield(Block{w.start, padded(s, w.end), t}) })
}

// grouped tries the rows of words of one length in s from i on.
func grouped(s string, i int, yield func(Block) bool) bool {
	var w wordRow
	for i < len(s) {
		gap := i
		for i < len(s) && (inGroup(s[i]) || s[i] == '+' && i > 0 && s[i-1] == ' ' && i+1 < len(s) && s[i+1] == ' ') {
			i++
		}
		from := i
		for i < len(s) && value64[s[i]] != none {
			i++
		}
		size, sep := i-from, s[gap:from]
		if size == 0 {
			i++
		}
		if w.n > 0 && size > 0 && size <= w.width && len(sep) <= 8 && (w.n == 1 || sep == w.sep) {
			w.end, w.n, w.sep = i, w.n+1, sep
			if size == w.width {
				continue
			}
		}
		if !w.block(s, yield) {
			return false
		}
		w = wordRow{}
		if size >= 3 && size <= 128 {
			w = wordRow{start: from, end: i, width: size, n: 1}
		}
	}
	return w.block(s, yield)
}
