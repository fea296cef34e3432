package scan

import (
	"bytes"
	"encoding/base64"
)

// How random a value must be to count, by what its field's name promises.
const (
	randomStrong  = 2.5
	randomKeyish  = 6
	randomKeyless = 8
	minPassword   = 6
	minStrong     = 8
	minKeyish     = 16
	minKeyless    = 20
)

// verdict is the rule that a value breaks; empty means it is not a secret.
// from and to narrow the value down to its secret part. done means that
// nothing inside the value needs another look.
type verdict struct {
	rule     string
	from, to int
	done     bool
}

// judge decides about the value of one assignment whose text is on one line.
// The cheap questions come first: most assignments are none of our business.
func (e *Engine) judge(key, v []byte, quoted bool) verdict {
	if len(v) < minPassword {
		return verdict{}
	}
	if i := bytes.Index(v, []byte("://")); i >= 0 {
		if isReference(v) {
			return verdict{done: true}
		}
		rule, from, to := url(v)
		return verdict{rule: rule, from: from, to: to}
	}
	k := classify(key)
	from := authScheme(v)
	if !k.strong && !k.keyish && from == 0 && (len(v) < minKeyless || hasSpace(v) || !quoted && isCode(v)) {
		return verdict{}
	}
	if isReference(v) || isPublic(v) {
		return verdict{done: true}
	}
	if k.public {
		return verdict{}
	}
	v = v[from:]
	s := measure(v)
	if s.space > 0 {
		if k.mnemonic && recoveryWords(v, s) {
			return verdict{rule: "recovery-phrase", from: from, to: from + len(v)}
		}
		if !spacedPassword(k, v, s, quoted) {
			return verdict{}
		}
	}
	if isPlaceholder(v, s) {
		return verdict{}
	}
	if colon := userPassword(k, v, s); colon > 0 && from == 0 {
		return verdict{rule: "user-password", from: colon + 1, to: len(v)}
	}
	rule := e.opaque(key, k, v, s, quoted || from > 0)
	if rule == "" && from > 0 && s.n >= minKeyish && s.space == 0 && randomness(v) >= randomStrong {
		rule = "authorization-header"
	}
	return verdict{rule: rule, from: from, to: from + len(v)}
}

func hasSpace(v []byte) bool {
	return bytes.IndexByte(v, ' ') >= 0 || bytes.IndexByte(v, '\t') >= 0
}

// spacedPassword reports a quoted password with a blank in it, as opposed to
// a sentence.
func spacedPassword(k keyClass, v []byte, s shape, quoted bool) bool {
	return k.pass && !k.about && quoted && s.space <= 2 && s.digit > 0 && s.symbol > 0 && !bytes.Contains(v, []byte(": "))
}

// userPassword is the colon of "user:password" in a field for it, or 0.
func userPassword(k keyClass, v []byte, s shape) int {
	switch {
	case s.space > 0 || !k.keyish && !k.strong:
		return 0
	case !k.pass && k.last != "auth" && k.last != "htpasswd" && k.last != "login" && k.last != "plain":
		return 0
	}
	colon := bytes.IndexByte(v[:min(len(v), 40)], ':')
	if colon <= 0 || !userName(v[:colon]) || !credible(v[colon+1:]) {
		return 0
	}
	if p := measure(v[colon+1:]); p.digit == 0 && p.classes() < 3 {
		return 0
	}
	return colon
}

// opaque judges a value that is no address, reference or placeholder.
func (e *Engine) opaque(key []byte, k keyClass, v []byte, s shape, quoted bool) string {
	if !quoted && isCode(v) || v[0] == '\\' || isPathLike(v) || isDateOrNumber(v, s, k) {
		return ""
	}
	random := max(randomness(v), randomness(body(v)))
	switch {
	case k.strong && !k.about:
		if s.n >= minStrong && random >= s.strongFloor() {
			return ruleFor(k)
		}
		if k.pass && personal(s, random, quoted) {
			return "password"
		}
	case k.keyish && !k.about:
		if s.n >= minKeyish && random >= s.keyishFloor() && s.entropy >= 2.8 {
			return "generic-key"
		}
	}
	if k.about {
		return ""
	}
	if rule := e.vendorRule(key, v, s); rule != "" {
		return rule
	}
	if s.n >= minKeyless && prefixed(v) {
		return "prefixed-token"
	}
	if s.n > 8 && s.base64 && (k.keyish || k.strong) && basicCredentials(v) {
		return "base64-credentials"
	}
	return ""
}

// strongFloor is how random a value must be in a field that is secret by
// name. Mixed characters are evidence of their own.
func (s shape) strongFloor() float64 {
	if s.digit > 0 && (s.n >= 12 && s.lower > 0 && s.upper > 0 || s.n >= 16 && s.lower == 0 && s.symbol == 0) {
		return 0.5
	}
	return randomStrong
}

func (s shape) keyishFloor() float64 {
	if s.digit > 0 && s.lower > 0 && s.upper > 0 && s.entropy >= 3.5 {
		return randomKeyish / 2
	}
	return randomKeyish
}

func ruleFor(k keyClass) string {
	if k.pass {
		return "password"
	}
	return "generic-secret"
}

// personal reports a password that a person made up: not random, but with
// more than letters in it.
func personal(s shape, random float64, quoted bool) bool {
	switch {
	case s.n < minPassword || s.letters() == 0 && s.digit < 6:
		return false
	case s.letters() == 0:
		return quoted || s.symbol == 0
	case s.digit > 0 && (s.symbol > 0 || s.upper > 0 && s.lower > 0):
		return true
	case s.digit > 0 && s.symbol == 0:
		return s.n >= minPassword
	}
	return s.classes() >= 3 && random > 0
}

func (s shape) letters() int { return s.lower + s.upper }

// isCode reports an expression where a value was expected.
func isCode(v []byte) bool {
	if bytes.ContainsAny(v, "()[]{}<>|&\"'`") {
		return true
	}
	return isSelector(v)
}

// isSelector reports names joined by dots, such as config.auth.token.
func isSelector(v []byte) bool {
	dots, start := 0, true
	for _, c := range v {
		switch {
		case c == '.':
			if start {
				return false
			}
			dots, start = dots+1, true
			continue
		case start && !isLetter(c) && c != '_', !isWord(c):
			return false
		}
		start = false
	}
	return dots > 0 && !start && (measure(v).digit == 0 || randomness(v) < 1)
}

// isPathLike reports a file name: segments that are words.
func isPathLike(v []byte) bool {
	if !bytes.ContainsRune(v, '/') && !bytes.ContainsRune(v, '\\') {
		return false
	}
	rooted := v[0] == '/' || v[0] == '.' || v[0] == '~' || (len(v) > 2 && v[1] == ':')
	words, total, parts := 0, 0, 0
	for part := range bytes.FieldsFuncSeq(v, func(r rune) bool { return r == '/' || r == '\\' }) {
		total += len(part)
		parts++
		if sp := measure(part); randomness(part) < 1.5 && (sp.digit == 0 || sp.upper == 0 || sp.lower == 0) {
			words += len(part)
		}
	}
	ext := bytes.LastIndexByte(v, '.')
	hasExt := ext > 0 && len(v)-ext <= 6 && bytes.LastIndexByte(v, '/') < ext
	return words*2 > total && (rooted || parts > 1) || hasExt && words > 0 && parts > 1
}

// isDateOrNumber reports what machines write with digits only.
func isDateOrNumber(v []byte, s shape, k keyClass) bool {
	if s.letters() > 0 {
		return s.letters() <= 2 && s.digit > 0 && len(v) <= 30 && len(v) >= 10 && v[4] == '-' // 2026-11-22T15:00:00Z
	}
	return !k.pass && s.digit+s.symbol+s.space == s.n && s.symbol <= 4
}

// authScheme is the length of "Bearer ", "Basic " and their like before the
// credential itself.
func authScheme(v []byte) int {
	i := bytes.IndexByte(v, ' ')
	if i < 3 || i > 12 || i+9 > len(v) || bytes.IndexByte(v[i+1:], ' ') >= 0 {
		return 0
	}
	var buf [96]byte
	switch string(lower(buf[:0], v[:i])) {
	case "bearer", "basic", "token", "apikey", "api-key", "key", "splunk", "geniekey", "ssws", "bot", "negotiate", "digest", "signature", "pat", "apitoken":
		return i + 1
	}
	return 0
}

// userName reports the name before the colon of "user:password".
func userName(w []byte) bool {
	for _, c := range w {
		if !isToken(c) && c != '@' && c != '+' {
			return false
		}
	}
	return randomness(w) < randomStrong
}

// recoveryWords reports a wallet's recovery phrase: 12 to 24 plain words.
func recoveryWords(v []byte, s shape) bool {
	n := len(bytes.Fields(v))
	return n >= 12 && n <= 24 && n%3 == 0 && s.lower+s.space == s.n
}

// basicCredentials reports base64 of "user:password".
func basicCredentials(v []byte) bool {
	enc := base64.RawStdEncoding
	plain, err := enc.DecodeString(string(bytes.TrimRight(v, "=")))
	if err != nil || len(plain) < 6 {
		return false
	}
	i := bytes.IndexByte(plain, ':')
	return i > 0 && i < len(plain)-3 && measure(plain).ascii && userName(plain[:i])
}
