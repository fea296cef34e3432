// Command gen builds table.bin, the fold table of package fold: for every code
// point the ASCII that it is, looks like or stands for. Its sources are the
// normalisation data and names of golang.org/x/text and the confusables of
// Unicode (UTS 39). Run it with go generate ./external/fold.
package main

import (
	"bytes"
	"flag"
	"log"
	"os"
	"regexp"
	"strings"
	"unicode"

	"go.mau.fi/util/confusable"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/runenames"
)

// Values of the table below 0x20; package fold reads the same.
const (
	vDrop  = 1
	vSpace = 2
	vMulti = 0x80
)

func main() {
	out := flag.String("out", "table.bin", "file to write")
	multi := flag.String("multi", "", "file for the list that table.go holds as multi; printed if empty")
	flag.Parse()
	table, list := build()
	if err := os.WriteFile(*out, table, 0o644); err != nil {
		log.Fatal(err)
	}
	text := []byte(strings.Join(list, "\n") + "\n")
	if *multi == "" {
		os.Stdout.Write(text)
		return
	}
	if err := os.WriteFile(*multi, text, 0o644); err != nil {
		log.Fatal(err)
	}
}

// useful are the folds of more than one character worth their place.
var useful = regexp.MustCompile(`^([a-z]{2,4}|[<>|]{2,3})$`)

// build is 4352 page numbers, then the pages of 256 values each.
func build() (table []byte, multis []string) {
	index := make([]byte, 0x110000>>8)
	pages := [][]byte{make([]byte, 256)}
	known := map[string]byte{}
	for p := range index {
		page := make([]byte, 256)
		for i := range page {
			s, v := fold(rune(p<<8 | i))
			switch {
			case v != 0:
				page[i] = v
			case len(s) == 1:
				page[i] = s[0]
			case len(s) > 1 && useful.MatchString(s):
				n, ok := known[s]
				if !ok && len(multis) < 126 {
					n = vMulti | byte(len(multis))
					known[s], multis, ok = n, append(multis, s), true
				}
				if ok {
					page[i] = n
				}
			}
		}
		index[p] = intern(&pages, page)
	}
	return append(index, bytes.Join(pages, nil)...), multis
}

func intern(pages *[][]byte, page []byte) byte {
	for i, p := range *pages {
		if bytes.Equal(p, page) {
			return byte(i)
		}
	}
	*pages = append(*pages, page)
	if len(*pages) > 256 {
		log.Fatal("more than 256 pages: widen the index")
	}
	return byte(len(*pages) - 1)
}

// fold is the ASCII of r, or a special value, or nothing when it is itself.
func fold(r rune) (string, byte) {
	switch {
	case r < 0x80, r >= 0xE0000 && r < 0xE0080, r >= 0xD800 && r < 0xE000:
		return "", 0
	case invisible(r):
		return "", vDrop
	case unicode.IsSpace(r), unicode.Is(unicode.Zs, r), r == 0x2800:
		return "", vSpace
	}
	name := runenames.Name(r)
	if s := bracket(r, name); s != "" {
		return s, 0
	}
	if s, ok := extra[r]; ok {
		return s, 0
	}
	if s := ascii(norm.NFKD.String(string(r))); s != "" && len(s) <= 4 {
		return trim(s), 0
	}
	if s := byName(name); s != "" {
		return s, 0
	}
	if s := lookalike(r); s != "" && len(s) <= 3 {
		return s, 0
	}
	return "", 0
}

// trim drops the dressing of parenthesised and full-stopped letters.
func trim(s string) string {
	if t := strings.Trim(s, "()., "); len(t) == 1 {
		return t
	}
	return s
}

// ascii is s in lower case without its marks, empty if more than ASCII is left.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r):
		case r == 0x2044 || r == 0x2215:
			b.WriteByte('/')
		default:
			return ""
		}
	}
	return b.String()
}

// lookalike follows the confusables until ASCII is reached.
func lookalike(r rune) string {
	s := string(r)
	for range 3 {
		var b strings.Builder
		for _, c := range norm.NFKD.String(s) {
			if rep := confusable.GetReplacement(c); rep != "" && c >= 0x80 {
				b.WriteString(rep)
			} else {
				b.WriteRune(c)
			}
		}
		t := norm.NFKD.String(b.String())
		if a := ascii(t); a != "" {
			return a
		}
		if t == s {
			break
		}
		s = t
	}
	if a := small(s); a != "" {
		return a
	}
	return ""
}

// small resolves what is left by name, as small capitals are.
func small(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch n := byName(runenames.Name(r)); {
		case r < 0x80:
			b.WriteRune(unicode.ToLower(r))
		case unicode.Is(unicode.Mn, r):
		case n != "":
			b.WriteString(n)
		default:
			return ""
		}
	}
	return b.String()
}

func invisible(r rune) bool {
	switch {
	case unicode.Is(unicode.Cf, r) && !(r >= 0x600 && r <= 0x605) && r != 0x6DD && r != 0x70F && r != 0x8E2,
		unicode.Is(unicode.Variation_Selector, r),
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r),
		unicode.Is(unicode.Co, r) && r < 0xF900,
		r == 0x115F, r == 0x1160, r == 0x3164, r == 0xFFA0, r == 0x17B4, r == 0x17B5, r == 0xFFFC, r == 0xFFFD,
		r >= 0x80 && r < 0xA0 && r != 0x85:
		return true
	case r >= 0x300 && r < 0x370, r >= 0x483 && r < 0x48A, r >= 0x591 && r < 0x5C8 && unicode.Is(unicode.Mn, r),
		r >= 0x610 && r < 0x61B, r >= 0x64B && r < 0x660, r == 0x670, r == 0x640,
		r >= 0x1AB0 && r < 0x1B00, r >= 0x1DC0 && r < 0x1E00, r >= 0x20D0 && r < 0x2100, r >= 0x2DE0 && r < 0x2E00,
		r >= 0xA66F && r < 0xA67E, r >= 0xFE20 && r < 0xFE30, r >= 0x1D165 && r < 0x1D16A, r >= 0x1D16D && r < 0x1D173:
		return unicode.Is(unicode.M, r) || r == 0x640
	}
	return false
}

var (
	letter   = regexp.MustCompile(`(?:LATIN|SCRIPT|FRAKTUR|BLACK-LETTER|DOUBLE-STRUCK|SQUARED|CIRCLED|PARENTHESIZED|TORTOISE SHELL BRACKETED).*(?:LETTER|SMALL|CAPITAL) (?:SMALL |SIDEWAYS |TURNED |REVERSED |INVERTED |OPEN |CLOSED |BARRED |DOTLESS |LONG |FINAL |HALF |INSULAR |SCRIPT |STIRRUP |BROKEN |LONG-LEGGED |BLACKLETTER |ANGLICANA |EGYPTOLOGICAL |VISIGOTHIC |CAPITAL |BOTTOM HALF |TOP HALF )*([A-Z])(?: |$)`)
	regional = regexp.MustCompile(`REGIONAL INDICATOR SYMBOL LETTER ([A-Z])$`)
	digit    = regexp.MustCompile(`(?:DIGIT|CIRCLED|SEGMENTED DIGIT) (ZERO|ONE|TWO|THREE|FOUR|FIVE|SIX|SEVEN|EIGHT|NINE)$`)
)

var digits = map[string]string{"ZERO": "0", "ONE": "1", "TWO": "2", "THREE": "3", "FOUR": "4", "FIVE": "5", "SIX": "6", "SEVEN": "7", "EIGHT": "8", "NINE": "9"}

func byName(name string) string {
	if m := letter.FindStringSubmatch(name); m != nil {
		return strings.ToLower(m[1])
	}
	if m := regional.FindStringSubmatch(name); m != nil {
		return strings.ToLower(m[1])
	}
	if m := digit.FindStringSubmatch(name); m != nil {
		return digits[m[1]]
	}
	return ""
}

// bracket folds what can stand in for the angle brackets of a marker. CJK and
// French quotation marks are among them; they only matter around a marker.
func bracket(r rune, name string) string {
	if s, ok := brackets[r]; ok {
		return s
	}
	left, right := strings.Contains(name, "LEFT"), strings.Contains(name, "RIGHT")
	switch {
	case strings.Contains(name, "VERY MUCH LESS"):
		return "<<<"
	case strings.Contains(name, "VERY MUCH GREATER"):
		return ">>>"
	case strings.Contains(name, "MUCH LESS"), strings.Contains(name, "DOUBLE LESS-THAN"), strings.Contains(name, "DOUBLE NESTED LESS"):
		return "<<"
	case strings.Contains(name, "MUCH GREATER"), strings.Contains(name, "DOUBLE GREATER-THAN"), strings.Contains(name, "DOUBLE NESTED GREATER"):
		return ">>"
	case strings.Contains(name, "LESS-THAN"), strings.HasPrefix(name, "PRECEDES"), strings.HasPrefix(name, "SUBSET OF"), strings.HasPrefix(name, "NORMAL SUBGROUP OF"), strings.HasPrefix(name, "SQUARE IMAGE OF"):
		return "<"
	case strings.Contains(name, "GREATER-THAN"), strings.HasPrefix(name, "SUCCEEDS"), strings.HasPrefix(name, "SUPERSET OF"), strings.HasPrefix(name, "CONTAINS AS NORMAL SUBGROUP"), strings.HasPrefix(name, "SQUARE ORIGINAL OF"):
		return ">"
	case strings.Contains(name, "DOUBLE PRECEDES"):
		return "<<"
	case strings.Contains(name, "DOUBLE SUCCEEDS"):
		return ">>"
	case strings.Contains(name, "PARENTHESIS"), strings.Contains(name, "QUOTATION") && !strings.Contains(name, "ANGLE"):
		return ""
	}
	double := strings.Contains(name, "DOUBLE")
	shape := strings.Contains(name, "BRACKET") || strings.Contains(name, "ANGLE") || strings.Contains(name, "ARROWHEAD") ||
		strings.Contains(name, "CHEVRON") || strings.Contains(name, "TRIANGLE") || strings.Contains(name, "POINTER") ||
		strings.Contains(name, "-POINTING") || strings.Contains(name, "WIGGLY FENCE") || strings.Contains(name, "CURVED ANGLE")
	mirrored := unicode.In(r, unicode.Ps, unicode.Pe, unicode.Pi, unicode.Pf, unicode.Sm, unicode.So, unicode.Sk)
	if !shape || !mirrored || strings.Contains(name, "TORTOISE SHELL BRACKETED") {
		return ""
	}
	switch {
	case left && !right && double:
		return "<<"
	case left && !right:
		return "<"
	case right && !left && double:
		return ">>"
	case right && !left:
		return ">"
	}
	return ""
}

// brackets are those whose names do not say what they look like.
var brackets = map[rune]string{
	0x02C2: "<", 0x02C3: ">", 0x02F1: "<", 0x02F2: ">", 0x00AB: "<<", 0x00BB: ">>", 0x2039: "<", 0x203A: ">",
	0x1438: "<", 0x1433: ">", 0x1405: ">", 0x140A: "<", 0x1431: "<", 0x142F: ">", 0xA4F7: "<", 0xA4E4: ">", 0x16B2: "<", 0x16B3: ">",
	0x300A: "<<", 0x300B: ">>", 0xFE3D: "<<", 0xFE3E: ">>", 0xFE3F: "<", 0xFE40: ">", 0x2AA1: "<<", 0x2AA2: ">>",
	0x22D8: "<<<", 0x22D9: ">>>", 0x2AF7: "<<<", 0x2AF8: ">>>", 0x2ABB: "<<", 0x2ABC: ">>",
	0x276E: "<", 0x276F: ">", 0x2770: "<", 0x2771: ">", 0x300E: "<", 0x300F: ">", 0x300C: "<", 0x300D: ">",
	0x23E9: ">>", 0x23EA: "<<", 0x16F3F: ">", 0x1D236: "<", 0x1D237: ">", 0x10B3D: ">>", 0x2E1D: ">", 0x2E1C: "<", 0x21D0: "<", 0x21D2: ">",
	0x2993: "<", 0x2994: ">", 0x29FC: "<", 0x29FD: ">", 0x25C0: "<", 0x25B6: ">", 0x25C1: "<", 0x25B7: ">", 0x2E26: "<", 0x2E27: ">",
}

// extra are look-alikes that no table of Unicode lists.
var extra = map[rune]string{
	0x0410: "a", 0x0412: "b", 0x0415: "e", 0x041A: "k", 0x041C: "m", 0x041D: "h", 0x041E: "o", 0x0420: "p", 0x0421: "c", 0x0422: "t", 0x0425: "x", 0x0423: "y",
	0x0430: "a", 0x0432: "b", 0x0435: "e", 0x043A: "k", 0x043C: "m", 0x043D: "h", 0x043E: "o", 0x0440: "p", 0x0441: "c", 0x0442: "t", 0x0445: "x", 0x0443: "y",
	0x0401: "e", 0x0451: "e", 0x0406: "i", 0x0456: "i", 0x0405: "s", 0x0455: "s", 0x0408: "j", 0x0458: "j", 0x0407: "i", 0x0457: "i",
	0x0391: "a", 0x0392: "b", 0x0395: "e", 0x0396: "z", 0x0397: "h", 0x0399: "i", 0x039A: "k", 0x039C: "m", 0x039D: "n", 0x039F: "o", 0x03A1: "p", 0x03A4: "t", 0x03A5: "y", 0x03A7: "x",
	0x03B1: "a", 0x03B5: "e", 0x03B9: "i", 0x03BA: "k", 0x03BD: "v", 0x03BF: "o", 0x03C1: "p", 0x03C4: "t", 0x03C5: "u", 0x03C7: "x", 0x03A3: "e", 0x039B: "a", 0x0394: "a", 0x03BB: "a",
	0x054D: "u", 0x054F: "s", 0x0555: "o", 0x0548: "n", 0x053C: "l", 0x0585: "o", 0x057D: "u", 0x0578: "n", 0x056C: "l", 0x0565: "t", 0x0535: "t", 0x0544: "u", 0x0550: "r",
	0x2C9A: "n", 0x2CA6: "t", 0x2C88: "e", 0x2CA4: "c", 0x2C9E: "o", 0x2CA2: "p", 0x2CAC: "x", 0x2C80: "a", 0x2C9C: "x", 0x2C96: "l", 0x2C86: "d",
	0x00D7: "x", 0x00DF: "ss", 0x0131: "i", 0x00D0: "d", 0x00F0: "d", 0x0111: "d", 0x00FE: "p", 0x20AC: "e", 0x00A3: "l", 0x00A5: "y", 0x00A2: "c", 0x20A9: "w", 0x20AE: "t", 0x20A6: "n", 0x20B3: "a",
	0x10412: "b", 0x0186: "c", 0x0254: "c", 0x15E1: "d", 0x2132: "f", 0x025F: "f", 0x2141: "g", 0x0183: "g", 0x22CA: "k", 0x2142: "l", 0x0500: "p", 0x22A5: "t", 0x2144: "y", // turned letters
	0x2190: "<", 0x2192: ">", 0x2206: "a", 0x2207: "v", 0x2211: "e", 0x220F: "n", 0x221A: "v", 0x2229: "n", 0x222A: "u", 0x2203: "e", 0x2208: "e", 0x2205: "o",
	0xFF5C: "|", 0x2223: "|", 0x2502: "|", 0x2503: "|", 0x2551: "|", 0x01C0: "|", 0x01C1: "||", 0x23D0: "|", 0x2758: "|", 0x2759: "|", 0x275A: "|", 0x00A6: "|", 0xFFE4: "|", 0xFFE8: "|", 0x2016: "|", 0x2225: "|", 0x05C0: "|", 0x0964: "|",
	0x2581: "_", 0xFF3F: "_", 0x203F: "_", 0x2040: "_", 0x2054: "_", 0xFE33: "_", 0xFE34: "_", 0xFE4D: "_", 0xFE4E: "_", 0xFE4F: "_", 0x02CD: "_", 0x2017: "_", 0x23BD: "_", 0x00AF: "-",
	0x2018: "'", 0x2019: "'", 0x201A: "'", 0x201B: "'", 0x2032: "'", 0x201C: `"`, 0x201D: `"`, 0x201E: `"`, 0x201F: `"`, 0x2033: `"`, 0x301D: `"`, 0x301E: `"`, 0x02EE: `"`,
	0x2010: "-", 0x2011: "-", 0x2012: "-", 0x2013: "-", 0x2014: "-", 0x2015: "-", 0x2212: "-", 0x2043: "-", 0x30FB: ".", 0x3002: ".", 0xFF0C: ",", 0x3001: ",", 0xFF1A: ":", 0xA789: ":", 0x2236: ":",
}
