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
// from and to narrow the value down to its secret part.
type verdict struct {
	rule     string
	from, to int
}

// judge decides about the value of one assignment whose text is on one line.
func (e *Engine) judge(key, v []byte, quoted bool) verdict {
	if len(v) < minPassword || isReference(v) {
		return verdict{}
	}
	if rule, from, to := url(v); rule != "" {
		return verdict{rule, from, to}
	}
	if bytes.Contains(v, []byte("://")) || isPublic(v) {
		return verdict{}
	}
	k := classify(key)
	if k.public {
		return verdict{}
	}
	from := authScheme(v)
	v = v[from:]
	if !k.strong && !k.keyish && from == 0 && len(v) < minKeyless {
		return verdict{}
	}
	s := measure(v)
	if s.space > 0 {
		if k.mnemonic && recoveryWords(v, s) {
			return verdict{"recovery-phrase", from, from + len(v)}
		}
		if !(k.pass && quoted && !k.about && s.digit > 0 && s.symbol > 0) {
			return verdict{}
		}
	}
	if isPlaceholder(v, s) {
		return verdict{}
	}
	rule := e.opaque(key, k, v, s, quoted || from > 0)
	if rule == "" && from > 0 && s.n >= minKeyish && s.space == 0 && randomness(v) >= randomStrong {
		rule = "authorization-header"
	}
	if rule == "" {
		return verdict{}
	}
	return verdict{rule, from, from + len(v)}
}

// opaque judges a value that is no address, reference or placeholder.
func (e *Engine) opaque(key []byte, k keyClass, v []byte, s shape, quoted bool) string {
	if !quoted && isCode(v) || isPathLike(v) || isDateOrNumber(v, s, k) {
		return ""
	}
	random := randomness(v)
	switch {
	case k.strong && !k.about:
		if s.n >= minStrong && random >= randomStrong {
			return ruleFor(k)
		}
		if k.pass && personal(s, random, quoted) {
			return "password"
		}
	case k.keyish && !k.about:
		if s.n >= minKeyish && random >= randomKeyish && s.entropy >= 2.8 {
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
	if s.n > 8 && s.base64 && basicCredentials(v) {
		return "base64-credentials"
	}
	return ""
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
	return bytes.HasPrefix(v, []byte("process.env")) || bytes.HasPrefix(v, []byte("os.")) || bytes.HasPrefix(v, []byte("config.")) || bytes.HasPrefix(v, []byte("self.")) || bytes.HasPrefix(v, []byte("this."))
}

// isPathLike reports a file name: segments that are words.
func isPathLike(v []byte) bool {
	if !bytes.ContainsRune(v, '/') && !bytes.ContainsRune(v, '\\') {
		return false
	}
	rooted := v[0] == '/' || v[0] == '.' || v[0] == '~' || (len(v) > 2 && v[1] == ':')
	words, total := 0, 0
	for part := range bytes.FieldsFuncSeq(v, func(r rune) bool { return r == '/' || r == '\\' }) {
		total++
		if randomness(part) < 1.5 {
			words++
		}
	}
	ext := bytes.LastIndexByte(v, '.')
	hasExt := ext > 0 && len(v)-ext <= 6 && bytes.LastIndexByte(v, '/') < ext
	return words*2 > total && (rooted || total > 1) || hasExt && words > 0 && total > 1
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
	return i > 0 && i < len(plain)-3 && measure(plain).ascii
}
