package scan

import "bytes"

// prefixed reports a token of the modern kind, whoever issues it: a short
// name, perhaps an environment, and a long random body, as in
// acme_live_4f9c…. Prefixes of identifiers and of public keys do not count.
func prefixed(v []byte) bool {
	if isUUID(v) {
		return false
	}
	tail := v
	parts := 0
	for parts < 4 {
		i := bytes.IndexAny(tail, "_-.")
		if i < 0 || i > 12 || i+1+16 > len(tail) || !prefixWord(tail[:i], parts == 0) {
			break
		}
		tail = tail[i+1:]
		parts++
	}
	if parts == 0 || len(tail) < 16 {
		return false
	}
	if dot := bytes.LastIndexByte(v, '.'); dot >= 0 && len(v)-dot <= 6 {
		return false // a file name
	}
	s := measure(tail)
	switch {
	case s.digit == 0 || s.letters() == 0 || s.space > 0 || !s.base64 && bytes.IndexByte(tail, '.') < 0:
		return false
	case isUUID(tail):
		return false
	case s.monotonous(tail):
		return false
	}
	return s.entropy >= 3 && randomness(tail) >= randomKeyless && len(body(tail)) >= 12
}

// prefixWord reports a part that can stand before a token's body.
func prefixWord(w []byte, first bool) bool {
	if len(w) == 0 || first && (len(w) < 2 || !isLetter(w[0])) {
		return false
	}
	digits, hex := 0, 0
	for _, c := range w {
		if isDigit(c) {
			digits++
		} else if !isLetter(c) {
			return false
		}
		if isHex(c) {
			hex++
		}
	}
	if digits > 2 || digits > 0 && hex == len(w) && len(w) > 2 {
		return false
	}
	var buf [96]byte
	return !idPrefix(string(lower(buf[:0], w)))
}

// idPrefix is what identifiers, digests and public things begin with.
func idPrefix(w string) bool {
	switch w {
	case "sha", "sha1", "sha256", "sha384", "sha512", "md5", "blake2b", "ssh", "uuid", "urn", "build", "image", "img", "git", "commit", "rev", "v1", "v2", "release", "version",
		"pk", "pub", "public", "publishable", "site", "client", "acct", "usr", "user", "cus", "customer", "req", "request", "evt", "event", "pi", "sub", "prod", "price", "proj", "project", "team", "file", "msg", "message",
		"thread", "run", "asst", "resp", "session", "sess", "trace", "span", "job", "task", "batch", "order", "inv", "invoice", "txn", "pm", "seti", "src", "node", "pod", "host", "ip", "vpc", "subnet", "ami", "sg", "eni", "vol", "snap", "rtb", "igw", "org",
		"bucket", "cluster", "instance", "deployment", "app", "call", "chatcmpl", "conv", "item", "obj", "object", "id", "hash", "digest", "etag", "checksum", "cache", "chunk", "asset", "page", "doc", "key":
		return true
	}
	return false
}

// body is the longest part without separators: the words of a prefix say
// nothing about what follows them.
func body(v []byte) []byte {
	best, start := v[:0], 0
	for i := 0; i <= len(v); i++ {
		if i < len(v) && isAlnum(v[i]) {
			continue
		}
		if i-start > len(best) {
			best = v[start:i]
		}
		start = i + 1
	}
	return best
}
