package boundary

import (
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/external/fold"
)

// matcher finds forgeries in one skeleton.
type matcher struct {
	k      string     // what it looks like
	folded *fold.Text // the same, with the way back
	of     *layer     // to this
	out    []Finding
}

func (m *matcher) all() {
	m.names('x', 'X', xNames[:])
	m.names('q', 'Q', qNames[:])
	m.brackets()
}

// add records the skeleton bytes [a, b) as a forgery; one of the same kind
// right before it grows by it.
func (m *matcher) add(kind Kind, a, b int, end bool) {
	s, e := m.of.source(m.folded.Span(a, b))
	if e <= s {
		return
	}
	if n := len(m.out); n > 0 && m.out[n-1] == (Finding{Kind: kind, Start: m.out[n-1].Start, End: s, end: end}) {
		m.out[n-1].End = e
		return
	}
	m.out = append(m.out, Finding{Kind: kind, Start: s, End: e, end: end})
}

// spelling is a way to spell the marker's name, without separators; its rarest
// letter is at pivot.
type spelling struct {
	letters string
	pivot   int
	turned  bool // backwards
}

var (
	xNames = [...]spelling{
		{"externaluntrustedcontent", 1, false},
		{"tnetnocdetsurtnulanretxe", 22, true},
		{"tuetuocpetsnrtunlauretxe", 22, true}, // small letters, upside down
		{"tnetnocdetsnrtnnlanretxe", 22, true}, // capitals, upside down
	}
	qNames = [...]spelling{ // in ROT13
		{"rkgreanyhagehfgrqpbagrag", 16, false},
		{"gargabpqrgfhegahynaergkr", 7, true},
	}
)

const (
	maxGap  = 14  // signs between two letters of a name
	maxAttr = 220 // from the name to the closing brackets
	maxLead = 40  // from the opening brackets to the name

	maxMarkup = 200 // of a tag or comment inside a name
)

// names looks for spellings by their rarest letter.
func (m *matcher) names(lower, upper byte, spellings []spelling) {
	for _, c := range [...]byte{lower, upper} {
		for i := m.index(0, c); i >= 0; i = m.index(i+1, c) {
			for _, sp := range spellings {
				if i > 0 && letter(m.k[i-1]) && !is(m.k[i-1], sp.letters[sp.pivot-1]) { // most are seen to be none by this
					continue
				}
				a, b, ok := m.spell(i, sp.letters, sp.pivot)
				if !ok {
					continue
				}
				if sp.turned {
					m.backwards(a, b)
				}
				m.marker(a, b)
			}
		}
	}
}

// spell matches the letters of spelling around its letter pivot at position i.
func (m *matcher) spell(i int, spelling string, pivot int) (start, end int, ok bool) {
	start, end = i, i+1
	for n := pivot - 1; n >= 0; n-- {
		if start = m.prev(start, spelling[n]); start < 0 {
			return 0, 0, false
		}
	}
	for n := pivot + 1; n < len(spelling); n++ {
		if end = m.next(end, spelling[n]); end < 0 {
			return 0, 0, false
		}
	}
	return start, end, true
}

// next is the position after the letter want, which follows i with nothing but
// signs and small markup between; -1 if it does not.
func (m *matcher) next(i int, want byte) int {
	for gap := 0; i < len(m.k) && gap <= maxGap; gap++ {
		c := m.k[i]
		switch {
		case is(c, want):
			return i + 1
		case c == '<':
			if n := markup(m.k[i:]); n > 0 {
				i += n
				continue
			}
			i++
		case letter(c):
			return -1
		default:
			i++
		}
	}
	return -1
}

// prev is the position of the letter want before i.
func (m *matcher) prev(i int, want byte) int {
	for gap := 0; i > 0 && gap <= maxGap; gap++ {
		c := m.k[i-1]
		switch {
		case is(c, want):
			return i - 1
		case c == '>':
			if n := markupBefore(m.k[:i]); n > 0 {
				i -= n
				continue
			}
			i--
		case letter(c):
			return -1
		default:
			i--
		}
	}
	return -1
}

// is reports whether c is, or is written for, the letter want.
func is(c, want byte) bool {
	if c|0x20 == want && letter(c) {
		return true
	}
	switch want {
	case 'e':
		return c == '3'
	case 't':
		return c == '7' || c == '+'
	case 'a':
		return c == '4' || c == '@'
	case 'l':
		return c == '1' || c == '|' || c == '!' || c|0x20 == 'i'
	case 's':
		return c == '5' || c == '$'
	case 'o':
		return c == '0'
	case 'u':
		return c|0x20 == 'v'
	}
	return false
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// markup is the length of a small HTML tag or comment at the start of s.
func markup(s string) int {
	if len(s) < 3 || !letter(s[1]) && s[1] != '/' && s[1] != '!' {
		return 0
	}
	for i := 2; i < len(s) && i < maxMarkup; i++ {
		switch s[i] {
		case '>':
			return i + 1
		case '<':
			return 0
		}
	}
	return 0
}

// markupBefore is the length of a small HTML tag or comment at the end of s.
func markupBefore(s string) int {
	for i := len(s) - 2; i >= 0 && i > len(s)-maxMarkup; i-- {
		switch s[i] {
		case '<':
			if n := markup(s[i:]); n == len(s)-i {
				return n
			}
			return 0
		case '>':
			return 0
		}
	}
	return 0
}

// marker decides whether the name at [a, b) is dressed as a marker, and takes
// all of it out.
func (m *matcher) marker(a, b int) {
	end := false
	if i := m.word(a, "end"); i >= 0 {
		a, end = i, true
	} else if i := m.word(a, "dne"); i >= 0 {
		a, end = i, true
	}
	start, opened := m.lead(a)
	stop, closed := m.tail(b)
	if i := strings.IndexByte(m.k[start:a], '/'); i >= 0 {
		end = true
	}
	if opened || closed {
		m.add(Marker, start, stop, end)
	}
}

// backwards takes out a marker whose name is spelt backwards at [a, b), with
// all that stands around it backwards too.
func (m *matcher) backwards(a, b int) {
	from, to := max(0, a-maxAttr), min(len(m.k), b+maxLead)
	r := []byte(m.k[from:to])
	slices.Reverse(r)
	turned := matcher{k: string(r)}
	first, last := to-b, to-a
	if i := turned.word(first, "end"); i >= 0 {
		first = i
	} else if i := turned.word(first, "raq"); i >= 0 { // in ROT13
		first = i
	}
	start, opened := turned.lead(first)
	stop, closed := turned.tail(last)
	if opened || closed {
		m.add(Marker, to-stop, to-start, first != to-b)
	}
}

// word is where w starts when it stands before position i; -1 if it does not.
func (m *matcher) word(i int, w string) int {
	for n := len(w) - 1; n >= 0; n-- {
		if i = m.prev(i, w[n]); i < 0 {
			return -1
		}
	}
	return i
}

// lead extends to the left over brackets and what stands between them.
func (m *matcher) lead(a int) (start int, dressed bool) {
	start = a
	run, last := 0, byte(0)
	for i := a - 1; i >= 0 && a-i <= maxLead; i-- {
		c := m.k[i]
		switch {
		case bracket(c):
			start, dressed = i, true
		case letter(c), c >= '0' && c <= '9':
			return start, dressed
		case c != last:
			run = 0
		}
		last = c
		if run++; run >= 3 && rule(c) {
			start, dressed = i, true
		}
	}
	return start, dressed
}

// tail extends to the right: an id, then closing brackets.
func (m *matcher) tail(b int) (stop int, dressed bool) {
	stop = b
	for i := b; i < len(m.k) && i-b <= maxAttr; i++ {
		c := m.k[i]
		if c == '>' || c == ']' || c == '}' || c == '|' {
			for i < len(m.k) && (bracket(m.k[i]) || i+1 < len(m.k) && gapped(m.k[i]) && bracket(m.k[i+1]) && m.k[i+1] == c) {
				i++
			}
			return i, true
		}
		if c == '<' && i+1 < len(m.k) && m.k[i+1] == '<' {
			break
		}
		if i-b < maxLead && c == '=' && attr(m.k[b:i]) {
			dressed = true
			stop = m.value(i + 1)
		}
	}
	if !dressed {
		return m.rules(b)
	}
	return stop, dressed
}

// rules extends over a line of signs, as in "--- end ---".
func (m *matcher) rules(b int) (int, bool) {
	i := b
	for i < len(m.k) && m.k[i] == ' ' {
		i++
	}
	n := 0
	for i+n < len(m.k) && rule(m.k[i+n]) && m.k[i+n] == m.k[i] && n < 40 {
		n++
	}
	if n >= 3 {
		return i + n, true
	}
	return b, false
}

// value is the end of an attribute's value that starts at i.
func (m *matcher) value(i int) int {
	for i < len(m.k) && (m.k[i] == ' ' || m.k[i] == '\\') {
		i++
	}
	quoted := i < len(m.k) && (m.k[i] == '"' || m.k[i] == '\'')
	for n := 0; i < len(m.k) && n < 80; n++ {
		i++
		if i >= len(m.k) || quoted && (m.k[i] == '"' || m.k[i] == '\'') {
			return min(i+1, len(m.k))
		}
		if m.k[i] == '\n' || !quoted && m.k[i] == ' ' {
			break
		}
	}
	return i
}

// attr reports whether what stands between the name and "=" is an id.
func attr(s string) bool {
	var b [8]byte
	n := 0
	for i := 0; i < len(s); i++ {
		if letter(s[i]) {
			if n == len(b) {
				return false
			}
			b[n] = s[i] | 0x20
			n++
		}
	}
	switch string(b[:n]) {
	case "id", "ld", "ref", "key", "nonce", "uuid", "token":
		return true
	}
	return false
}

func bracket(c byte) bool {
	return c == '<' || c == '>' || c == '[' || c == ']' || c == '{' || c == '}' || c == '|'
}

// rule are signs that draw a line when there are three.
func rule(c byte) bool {
	return c == '=' || c == '-' || c == '~' || c == '#' || c == '*' || c == '(' || c == 0x7f
}

func gapped(c byte) bool { return c == ' ' || c == '\n' || c == '\\' || c == '/' }
