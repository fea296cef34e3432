package detect

import (
	"strings"

	"github.com/chitin-sh/chitin/external/fold"
)

const (
	maxLayers     = 3  // encodings inside encodings
	minEscaped    = 6  // letters written as codes before a text is decoded
	minRot        = 3  // words of ROT13
	maxDecodedFor = 2  // decoded bytes for each byte of a text
	codedBonus    = .6 // log-odds for an order that somebody took pains to hide
)

// layer is what a stretch of a text decodes to.
type layer struct {
	text string
	back func(start, end int) (int, int) // to bytes of the source
}

// layers are the decodings of text that its marks, noted by the scan before,
// make worth a look.
func layers(text string, seen codes, talk rotCount) (out []layer) {
	if seen.escaped >= minEscaped {
		if d := fold.Decode(text); !d.Same() {
			out = append(out, layer{d.String(), d.Span})
		}
	}
	if seen.long > 0 || seen.listAt > 0 {
		out = append(out, blocks(text, seen)...)
	}
	if seen.tags {
		if t := fold.TagSkeleton(text); !t.Same() {
			out = append(out, layer{t.String(), t.Span})
		}
	}
	same := func(a, b int) (int, int) { return a, b }
	if talk.rot >= minRot {
		out = append(out, layer{rot13(text), same})
	}
	if talk.back >= minRot {
		r := reverse(text)
		n := len(text)
		out = append(out, layer{r, func(a, b int) (int, int) { return n - b, n - a }})
	}
	if seen.spaced {
		d := joined(text)
		out = append(out, layer{d.String(), d.Span})
	}
	return out
}

// blocks are the encoded runs of a text from where the first was noted.
func blocks(text string, seen codes) (out []layer) {
	from := len(text)
	if seen.long > 0 {
		from = strings.LastIndexAny(text[:seen.longAt], " \n\t\r") + 1
	}
	if seen.listAt > 0 {
		from = min(from, seen.listAt-1)
	}
	room := maxDecodedFor*len(text) + 1<<10
	fold.Blocks(text[from:], func(b fold.Block) bool {
		if room -= len(b.Text); room < 0 || len(out) == 64 {
			return false
		}
		start, end := from+b.Start, from+b.End
		out = append(out, layer{b.Text, func(int, int) (int, int) { return start, end }})
		return true
	})
	return out
}

// rotCount counts words that read as common ones in ROT13 or backwards.
type rotCount struct{ rot, back int }

// rot13 turns the letters by half the alphabet.
func rot13(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z':
			b[i] = 'a' + (c-'a'+13)%26
		case c >= 'A' && c <= 'Z':
			b[i] = 'A' + (c-'A'+13)%26
		}
	}
	return string(b)
}

// reverse turns s around, byte by byte; characters beyond ASCII are lost.
func reverse(s string) string {
	b := make([]byte, len(s))
	for i := range len(s) {
		c := s[len(s)-1-i]
		if c >= 0x80 {
			c = ' '
		}
		b[i] = c
	}
	return string(b)
}

// joined is s with the blanks between lone letters taken out: "i g n o r e"
// reads "ignore". Two blanks, or another sign, end a word.
func joined(s string) fold.Text { return fold.Joined(s) }
