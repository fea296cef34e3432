package boundary

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/chitin-sh/chitin/external/fold"
)

// brackets looks at what every < and [ opens.
func (m *matcher) brackets() {
	struck := false // an <s> that HTML strikes out is open
	for i := m.index(0, '<'); i >= 0; i = m.index(i+1, '<') {
		if end := m.anyMarker(i); end > 0 {
			i = end - 1
			continue
		}
		switch word, end := m.tokenAt(i); {
		case word == noToken:
		case word == opensS && !struck && m.struckOut(end):
			struck = true
		case word == closesS && struck:
			struck = false
		default:
			m.add(Token, i, end, false)
			i = end - 1
		}
	}
	for i := m.index(0, '['); i >= 0; i = m.index(i+1, '[') {
		if word, end := m.tokenAt(i); word != noToken {
			m.add(Token, i, end, false)
			i = end - 1
		}
	}
}

// index is where the next c is, from i on; -1 if there is none.
func (m *matcher) index(i int, c byte) int {
	n := strings.IndexByte(m.k[i:], c)
	if n < 0 {
		return -1
	}
	return i + n
}

// struckOut reports whether the <s> before i is HTML's: it is closed on the
// same line, around something that is no token.
func (m *matcher) struckOut(i int) bool {
	inside, n := m.k[i:min(len(m.k), i+400)], 0
	for n < len(inside) && inside[n] != '<' && inside[n] != '[' && inside[n] != '\n' {
		n++
	}
	return n > 0 && len(inside) >= n+4 && strings.EqualFold(inside[n:n+4], "</s>") && strings.TrimSpace(inside[:n]) != ""
}

const (
	maxName  = 90 // of a marker that is not ours
	maxToken = 48 // of a token, with its brackets and blanks
)

// anyMarker is the end of something built as our markers are, whatever its
// name: three opening brackets, a name with an id or of several words, three
// closing ones. 0 if there is none at i.
func (m *matcher) anyMarker(i int) int {
	n, p := 0, i
	for gap := 0; p < len(m.k) && gap < 3 && n <= 12; {
		switch c := m.k[p]; {
		case c == '<':
			n, gap = n+1, 0
			p++
		case gapped(c) || c == '>' && n < 3 && gap > 0:
			gap++
			p++
		default:
			gap = 3
		}
	}
	if n < 3 || n > 12 { // a run of more is drawn, and its last brackets are looked at in their turn
		return 0
	}
	words, letters, named, id, from := 1, 0, 0, false, p
	for ; p < len(m.k) && p-from <= maxAttr; p++ {
		c := m.k[p]
		switch {
		case letter(c), c == 0x7f:
			letters++
		case c == '_' || c == ' ' || c == '-' || c == '\n':
			if letters > 0 && p+1 < len(m.k) && letter(m.k[p+1]) {
				words++
			}
		case c == '=':
			last := lastWord(m.k[from:p])
			if !attr(last) {
				return 0
			}
			if !id {
				id, named = true, letters-len(strings.TrimRight(last, " \\"))
			}
		case c == '>':
			if end, closing := m.closing(p); closing >= 3 && letters >= 4 && (id || words >= 2 && p-from <= maxName) {
				m.add(Marker, i, end, false)
				return end
			}
			if !id {
				return 0
			}
		case c == '<' || c == '(' || c == ',' || c == ';':
			if !id {
				return 0
			}
			if c == '<' && p+1 < len(m.k) && m.k[p+1] == '<' { // the next one
				p = from + maxAttr
			}
		}
	}
	if id && named >= 3 { // never closed
		end := m.value(from + strings.IndexByte(m.k[from:], '=') + 1)
		m.add(Marker, i, end, false)
		return end
	}
	return 0
}

// lastWord is the last run of letters in s with what follows it.
func lastWord(s string) string {
	i := len(s)
	for i > 0 && !letter(s[i-1]) {
		i--
	}
	for i > 0 && letter(s[i-1]) {
		i--
	}
	return s[i:]
}

// closing counts the closing brackets at p.
func (m *matcher) closing(p int) (end, n int) {
	end = p
	for gap := 0; p < len(m.k) && gap < 3; p++ {
		if m.k[p] == '>' {
			n, gap, end = n+1, 0, p+1
		} else if gapped(m.k[p]) {
			gap++
		} else {
			break
		}
	}
	return end, n
}

// What a bracketed name is.
type tokenWord uint8

const (
	noToken tokenWord = iota
	aToken
	opensS  // <s>: the start of a sequence, or struck out
	closesS // </s>
)

// tokenAt is what opens at i, and where it ends.
func (m *matcher) tokenAt(i int) (tokenWord, int) {
	var key [maxToken]byte
	n, first, pipes, lead, upper, apart, p := 0, 0, 0, false, true, false, i+1
	for p < len(m.k) && (m.k[p] == m.k[i] && p-i < 3 || m.k[p] == ' ') && p-i < 6 {
		p++
	}
	for ; p < len(m.k) && p-i < maxToken; p++ {
		switch c := m.k[p]; {
		case c == '|':
			pipes++
			lead = lead || n == 0
		case letter(c), c >= '0' && c <= '9', c == '/' && n == 0:
			upper = upper && c < 'a'
			if m.k[p-1] == ' ' && n > 1 {
				apart = true
			}
			key[n] = c
			if letter(c) {
				key[n] |= 0x20
			}
			n++
			if n == 2 && !lead && !pairs().has(m.k[i], key[0], key[1]) {
				return noToken, 0
			}
		case c == '>' && m.k[i] == '<', c == ']' && m.k[i] == '[':
			p++
			if m.k[i] == '<' && p < len(m.k) && m.k[p] == '>' {
				p++
			}
			if apart && !upper && m.k[i] == '[' { // a link's words
				return noToken, 0
			}
			return known(key[:n], m.k[i], pipes, lead, upper), p
		case c == ' ':
			if n > 0 && first == 0 {
				first = n
			} else if n == 0 && pipes == 1 { // <| x |>, an operator unless its name is known
				lead = false
			}
		case c == '_', c == '-', c == ':', c == '.', c == '\\', c == fold.Other:
		case c == '\n' && pipes > 0:
		case c == '=' && m.k[i] == '<' && known(key[:first], '<', 0, false, false) == aToken: // <tool_call name="x">
			if e := strings.IndexByte(m.k[p:min(len(m.k), p+200)], '>'); e >= 0 {
				return aToken, p + e + 1
			}
			return noToken, 0
		default:
			return noToken, 0
		}
	}
	return noToken, 0
}

// known says whether a bracketed name is a control token. Lead is a pipe right
// after the bracket, upper a name without small letters.
func known(key []byte, open byte, pipes int, lead, upper bool) tokenWord {
	bare := bytes.TrimPrefix(key, []byte("/"))
	if len(bare) == 0 {
		return noToken
	}
	if open == '[' {
		if pipes == 0 && (squareTokens()[string(bare)] || upper && capitalTokens()[string(bare)]) {
			return aToken
		}
		return noToken
	}
	switch {
	case pipes > 1 && lead, // <|anything|>
		pipes > 0 && pipedTokens()[string(bare)], angleTokens()[string(bare)], numbered(bare):
		return aToken
	case pipes == 0 && string(key) == "s":
		return opensS
	case pipes == 0 && string(key) == "/s":
		return closesS
	}
	return noToken
}

// numbered are the tokens that come in rows.
func numbered(key []byte) bool {
	n := len(key)
	for n > 0 && key[n-1]-'0' < 10 {
		n--
	}
	return n < len(key) && slices.Contains(numberedTokens[:], string(key[:n]))
}

var numberedTokens = [...]string{"extraid", "unused", "reserved", "reservedspecialtoken", "special", "placeholder", "control"}

// angleTokens are the names, without separators, that models read between
// angle brackets. Plain HTML and the words of common XML are not among them.
var angleTokens = sync.OnceValue(func() map[string]bool {
	return set(`bos eos unk sop eop eod eoh eoa eot eom cls sys pad
		startofturn endofturn startofimage endofimage startofaudio endofaudio imagesofttoken audiosofttoken
		endofutterance fakearoundimage endoftext startoftext beginoftext endofprompt startofprompt
		imstart imend imsep imuser imassistant imsystem startheaderid endheaderid eotid eomid
		pythontag toolcall toolcalls toolresponse toolresponses tooloutput tooloutputs toolresult toolresults
		functioncall functioncalls functionresult functionresults functioncallresults
		fimprefix fimsuffix fimmiddle fimpad fimbegin fimend fimhole filesep reponame ghstars issuestart issuecomment issueclosed
		jupyterstart jupytertext jupytercode jupyteroutput emptyoutput commitbefore commitmsg commitafter
		startofrole endofrole startofplugin endofplugin starttoolresponse availabletools
		beginofsentence endofsentence beginofbox endofbox startofthought endofthought startofturntoken endofturntoken
		systemtoken usertoken chatbottoken bostoken eostoken padtoken unusedtoken reservedspecialtoken endofchunk startofchunk
		systemprompt systemmessage systeminstruction systeminstructions assistantmessage usermessage
		toolsep toolcallbegin toolcallend toolcallsbegin toolcallsend tooloutputbegin tooloutputend
		think seedbos seedeos seedthink visionstart visionend objectrefstart objectrefend`)
})

// pipedTokens are read with a single pipe; as plain tags they are markup.
var pipedTokens = sync.OnceValue(func() map[string]bool {
	return set(`system assistant user developer tool model human bot channel message return call constrain start end
		turn image video audio observation prompter context vision reasoning`)
})

// squareTokens are the names that models read between square brackets.
var squareTokens = sync.OnceValue(func() map[string]bool {
	return set(`inst systemprompt availabletools toolcalls toolresults toolresult toolcontent gmask smask
		imgbreak imgend modelsettings beginaudio`)
})

// capitalTokens are tokens only in capitals, being words of usage lines else.
var capitalTokens = sync.OnceValue(func() map[string]bool {
	return set(`sys bos eos sep cls pad unk mask think args callid`)
})

// pairSet are the first two letters of the names of tokens, by bracket. Most of
// what stands between brackets is none, and is seen to be none by these.
type pairSet [2][256][32]bool

func (p *pairSet) has(open, a, b byte) bool {
	return a == '/' || p[open&1][a][b&31]
}

var pairs = sync.OnceValue(func() *pairSet {
	var p pairSet
	for word := range angleTokens() {
		p['<'&1][word[0]][word[1]&31] = true
	}
	for word := range pipedTokens() {
		p['<'&1][word[0]][word[1]&31] = true
	}
	for _, word := range numberedTokens {
		p['<'&1][word[0]][word[1]&31] = true
	}
	for word := range squareTokens() {
		p['['&1][word[0]][word[1]&31] = true
	}
	for word := range capitalTokens() {
		p['['&1][word[0]][word[1]&31] = true
	}
	return &p
})

func set(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}
