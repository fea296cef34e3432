package detect

import "strings"

// phrase is the hashes of all its tokens, of the last, and of the last two.
type phrase struct {
	all, last, pair uint32
	n               int // tokens
}

// phrases are the hashes of the alternatives of an element. An alternative of
// signs that do not matter between words is none.
func phrases(f string) (out []phrase) {
	if f == "|" {
		return signPhrases(f)
	}
	for alt := range strings.SplitSeq(f, "|") {
		if signs := signPhrases(alt); signs != nil {
			out = append(out, signs...)
			continue
		}
		l := lexer{s: strings.ReplaceAll(alt, "_", " ")}
		var buf [16]tok
		if n := l.fill(buf[:]); n > 0 {
			out = append(out, hashPhrase(buf[:n]))
		}
	}
	return out
}

func signPhrases(f string) (out []phrase) {
	for _, g := range signClasses(f) {
		l := lexer{gap: g}
		h := l.sign().h
		out = append(out, phrase{all: h, last: h, n: 1})
	}
	return out
}

// hashPhrase joins the tokens of a phrase as the scanner does. Of a long phrase,
// its last four tokens stand for it.
func hashPhrase(t []tok) phrase {
	if len(t) > 4 {
		t = t[len(t)-4:]
	}
	p := phrase{n: min(len(t), 4)}
	for i, w := range t {
		if i == 0 {
			p.all = w.h
		} else {
			p.all, p.pair = join(p.all, w.h), join(p.last, w.h)
		}
		p.last = w.h
	}
	return p
}

// join is the hash of two neighbours.
func join(a, b uint32) uint32 { return (a*joinFirst ^ b) * joinLast }

const (
	joinFirst = 0x01000193
	joinLast  = 0x85EBCA6B
)

// signClasses are the signs that an element of one or two signs matches; nil
// if it is words.
func signClasses(f string) (out []uint32) {
	if len(f) == 0 || len(f) > 2 {
		return nil
	}
	a := uint32(sign[f[0]])
	if a == 0 {
		return nil
	}
	if len(f) == 2 {
		b := uint32(sign[f[1]])
		if b == 0 {
			return nil
		}
		return []uint32{a | b<<5}
	}
	for b := uint32(0); b <= paragraph; b++ {
		if b != a {
			out = append(out, a|b<<5)
		}
	}
	return out
}

// Words in the order of how common they are, in three classes; the list need
// not be exact, as it only says where to begin to look for a pattern.
const (
	commonest = " the to of and a in is for it you that on with this "
	common    = " be or as are by i your from not if can at an have will we all no my use but so do has what more up out was its me any when new which one file "
	frequent  = " should may must how only also there other set would they them he she his her our us who then than like just get see time about into over some been were had did make using used user name data list type key message system text code command following run example content information output your please want need now first last before after here these those each every even where while such add go open send write read tell show give say know help work line page e s t d re ve ll don de la le en que un una der die und das et les des il per di non con na da do o em um para "
)

// commonness estimates how often an element of a pattern is met in a thousand
// tokens.
func commonness(f string) (sum float64) {
	if signClasses(f) != nil || f == "|" {
		return 60
	}
	for alt := range strings.SplitSeq(f, "|") {
		words := strings.Split(strings.ReplaceAll(alt, "'", "_"), "_")
		c := frequency(words[len(words)-1])
		if len(words) > 1 { // of these, only the last is looked for at first
			c /= 20
		}
		sum += c
	}
	return sum
}

func frequency(word string) float64 {
	switch w := " " + word + " "; {
	case len(word) < 2 && signClasses(word) != nil:
		return 60
	case strings.Contains(commonest, w):
		return 20
	case strings.Contains(common, w):
		return 5
	case strings.Contains(frequent, w):
		return 1
	}
	return .05
}
