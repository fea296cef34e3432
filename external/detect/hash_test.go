package detect

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// slowly cuts a text as fill does, but byte by byte.
func slowly(text string) (out []tok, seen codes) {
	l := lexer{s: text}
	for l.i < len(text) {
		var buf [2]tok
		n := 0
		switch c := text[l.i]; byteKind[c] {
		case byteWide:
			n = l.rune(buf[:])
		case byteWord, byteDigit:
			if l.gap != 0 {
				out = append(out, l.sign())
			}
			l.word(&buf[0])
			n = 1
		default:
			l.blank(c)
		}
		out = append(out, buf[:n]...)
	}
	if l.gap != 0 {
		out = append(out, l.sign())
	}
	return out, l.seen
}

func fast(text string) (out []tok, seen codes) {
	l := lexer{s: text}
	var buf [16]tok
	for {
		n := l.fill(buf[:])
		if n == 0 {
			return out, l.seen
		}
		out = append(out, buf[:n]...)
	}
}

// pieces are what texts for the tests of the lexer are put together from.
var pieces = []string{
	"a", "I", "the", "Word", "eleven", "sevenab", "eightabc", "nineabcde", "internationalisation", "sixteenlettersab", "seventeenlettersa", strings.Repeat("long", 9),
	"1", "42", "2026", "1234567", "12345678", "123456789012", "a1", "1a", "base64", "abcdefg1", "abcdefgh1", "h3ll0", "é", "naïve", "ｆｕｌｌ", "привет", "Ω", "忽略", "\u200b", "\U000E0041", "\xff", "\u0301", "¿",
	" ", " ", " ", "  ", "      ", "\t", "\n", "\n\n", "\r\n", ".", ",", ". ", ", ", ": ", "--", "- ", "(", ")", "<", ">>", "\"", "' ", "`", "=", "==", "&amp;", "&#73;", "%20", `\n`, `\u0041`, "=41", "#", "/", "|", "\x1b[0m", "\x00", "@", "_",
}

func made(rnd *rand.Rand) string {
	var b strings.Builder
	for range rnd.IntN(60) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}

func TestFillIsTheSlowLexer(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		text := made(rnd)
		want, wantSeen := slowly(text)
		got, gotSeen := fast(text)
		if !slices.Equal(want, got) || wantSeen != gotSeen {
			t.Fatalf("%q:\n%v %+v\n%v %+v", text, got, gotSeen, want, wantSeen)
		}
	}
}

func FuzzFill(f *testing.F) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		f.Add(made(rnd))
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, wantSeen := slowly(text)
		got, gotSeen := fast(text)
		if !slices.Equal(want, got) || wantSeen != gotSeen {
			t.Fatalf("%q:\n%v %+v\n%v %+v", text, got, gotSeen, want, wantSeen)
		}
	})
}

// The weights are of these hashes: if one changes, they are worth nothing.
func TestHashesStay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]uint32{
		"a": {0x8952ed58, 0x8952ed58}, "Words": {0xbf7efb19, 0xbf7efb19}, "h3llo": {0xf897ea94, 0xf897ea94},
		"ignore": {0xbd68115e, 0x6e0a38ad}, "ｉｇｎｏｒｅ": {0xbd68115e, 0x6e0a38ad}, "instructions": {0x63692fa9, 0x81d6d080},
		"sixteenlettersab": {0xcdda4f32, 0x983b813a}, "привет": {0xcaca80b1, 0xefe0b5a5}, "42": {number, number},
	} {
		got, _ := fast(text)
		if len(got) != 1 || got[0].h != want[0] || got[0].p != want[1] {
			t.Errorf("%q: {%#x, %#x}", text, got[0].h, got[0].p)
		}
	}
}

func TestFoldedWordsHashAlike(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"ignore", "IGNORE"}, {"ignore", "ｉｇｎｏｒｅ"}, {"ignore", "1gn0re"}, {"ignore", "ig\u200bnore"}, {"instructions", "Іnstruсtions"}, {"abcdefgh", "ABCDEFGＨ"}, {"привет", "ПРИВЕТ"}} {
		a, _ := fast(pair[0] + " and more text behind it")
		b, _ := fast(pair[1] + " and more text behind it")
		if a[0].h != b[0].h || a[0].p != b[0].p {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
	}
}
