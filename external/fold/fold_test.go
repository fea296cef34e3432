package fold

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSkeleton(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":      "plain",
		"Ｆｕｌｌ ｗｉｄｔｈ": "full width",
		"𝐁𝐨𝐥𝐝 𝕕𝕠𝕦𝕓𝕝𝕖": "bold double",
		"ЕХТЕRNАL":                 "exteRNaL",
		"ᴇxᴛᴇʀɴᴀʟ":                 "external",
		"🅔🅧🅣 🅴🆇🆃":                  "ext ext",
		"«‹<≪⋘〈《❮ᐸ":                "<<<<<<<<<<<<<<",
		"a\u200bb\u2060":           "ab",
		"é\u0301ü":                 "eu",
		"a\x1b[31mb\x08":           "ab",
		"日本":                       "\x7f\x7f",
		"a\u00a0b\u2028":           "a b ",
		"[[MARKER_SANITIZED]]x[y]": "x[y]",
	} {
		k := Skeleton(in)
		if k.String() != want {
			t.Errorf("%q: %q, want %q", in, k.String(), want)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"&lt;&#60;&#x3c;&LT;&lowbar;":      "<<<<_",
		"%3C%5f%u003c%zz":                  "<_<%zz",
		`\u003c\x3c\74\u{3c}\o{74}\/`:      "<<<<</",
		`\3c\45 \4e x \74 \x41`:            "<ENx tA",
		"=?utf-8?Q?=3Ca_b?= =?x?b?PEE=?=":  "<a b<A",
		`\N{LESS-THAN SIGN}`:               "<",
		`\N{Latin small letter a}\N{NONE}`: `a\N{NONE}`,
		"&amp;&AMP;&gt;&quot;&nbsp;&lt":    "&&>\"\u00a0<",
		`\ud83d\ude00`:                     "😀",
		"=3Ca=\nb=zz":                      "<ab=zz",
		"+ADw-x&ADw-":                      "<x<",
		"1+1=2 & 3% of a\\b":               "1+1=2 & 3% of a\\b",
		"AT&T; x&y":                        "AT&T; x&y",
	} {
		d := Decode(in)
		if d.String() != want {
			t.Errorf("%q: %q, want %q", in, d.String(), want)
		}
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"see SGVsbG8sIHRoZXJlIHdvcmxkIQ== now":                                       "Hello, there world!",
		"48656c6c6f2c20746865726520776f726c6421":                                     "Hello, there world!",
		"JBSWY3DPFQQHI2DFOJSSA53POJWGIII=":                                           "Hello, there world!",
		"48 65 6c 6c 6f 2c 20 74 68 65 72 65 20 77 6f 72 6c 64":                      "Hello, there world",
		"72, 101, 108, 108, 111, 44, 32, 116, 104, 101, 114, 101, 32, 119, 111, 114": "Hello, there wor",
		"an ordinary sentence with someveryverylongword in it":                       "",
		"of/small/letters-and_signs/there/is/no/base64/that/could/be/text":           "",
		"glued:SGVsbG8sIHRoZXJlIHdvcmxkIQ==":                                         "Hello, there world!",
	} {
		got := ""
		Blocks(in, func(b Block) bool { got = b.Text; return false })
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Every span of folded text maps to a span of the source, in order, and the
// whole of one to the whole of the other.
func FuzzSpans(f *testing.F) {
	f.Add("Ｆull &lt; \u200b ok %3c", 1, 3)
	f.Add("plain", 0, 2)
	f.Add(strings.Repeat("é", 100), 60, 70)
	f.Fuzz(func(t *testing.T, s string, a, n int) {
		for _, k := range []Text{Skeleton(s), TagSkeleton(s), Decode(s), Joined(s)} {
			out := k.String()
			if len(out) == 0 {
				continue
			}
			a := (a%len(out) + len(out)) % len(out)
			b := a + 1 + (n%(len(out)-a)+(len(out)-a))%(len(out)-a)
			start, end := k.Span(a, b)
			if start < 0 || end > len(s) || start >= end {
				t.Fatalf("%q: folded [%d,%d) is [%d,%d) of %d", s, a, b, start, end, len(s))
			}
			if a2, _ := k.Span(b-1, b); a2 < start || a2 >= end {
				t.Fatalf("%q: the end of [%d,%d) begins at %d", s, a, b, a2)
			}
		}
	})
}

// Blocks lie within the text, and what they hold is text of about their size.
func FuzzBlocks(f *testing.F) {
	f.Add("see SGVsbG8sIHRoZXJlIHdvcmxkIQ== now")
	f.Add("48 65 6c 6c 6f 2c 20 74 68 65 72 65 20 77 6f 72 6c 64")
	f.Add("> SGVsbG8s\n> IHRoZXJl\n> IHdvcmxk\n> IQ==")
	f.Add("SGVs bG8s IHRo ZXJl IHdv cmxk IQ==")
	f.Add("<~87cURD]i,\"Ebo7~> <~>")
	f.Fuzz(func(t *testing.T, s string) {
		size := 0
		Blocks(s, func(b Block) bool {
			if b.Start < 0 || b.End > len(s) || b.Start >= b.End || len(b.Text) > 4*(b.End-b.Start) || !utf8.ValidString(b.Text) {
				t.Fatalf("%q: block [%d,%d) of %d is %q", s, b.Start, b.End, len(s), b.Text)
			}
			size += b.End - b.Start
			return true
		})
		if size > 16*len(s) {
			t.Fatalf("%q: %d bytes in blocks", s, size)
		}
	})
}

func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	for r := rune(0x80); r <= utf8.MaxRune; r++ {
		s, k := Rune(r)
		if (k == ASCII) != (s != "" && k != Tag && k != Space) {
			t.Fatalf("%U: %q, kind %d", r, s, k)
		}
	}
}
