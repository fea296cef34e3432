package scan

import (
	"bytes"
	"sync"

	"github.com/chitin-sh/chitin/secrets/match"
)

// isReference reports a value that says where the secret is instead of being
// it: a variable, a template, a vault address, a tag, an encrypted value.
func isReference(v []byte) bool {
	if len(v) < 2 {
		return true
	}
	switch v[0] {
	case '$':
		return v[1] == '{' || v[1] == '(' || isWord(v[1]) && !isCryptHash(v)
	case '%':
		return v[1] == '(' || v[1] == '{' || (v[len(v)-1] == '%' && !bytes.ContainsRune(v[1:len(v)-1], '%'))
	case '#', '@':
		return v[1] == '{'
	case '{':
		return v[1] == '{' || v[1] == '%'
	case '<':
		return v[len(v)-1] == '>' || v[1] == '%'
	case '[':
		return v[len(v)-1] == ']'
	case '!':
		return isTag(v)
	}
	if bytes.HasPrefix(v, []byte("ENC[")) || bytes.HasPrefix(v, []byte("enc:")) || bytes.HasPrefix(v, []byte("AQICAH")) {
		return true
	}
	if bytes.Contains(v, []byte("{{")) || bytes.Contains(v, []byte("${")) || bytes.Contains(v, []byte("$(")) {
		return !bytes.Contains(v, []byte("://")) // a URL may hold a password beside it
	}
	return hasReferenceScheme(v)
}

// isCryptHash reports a password hash of crypt(3): not a secret that opens
// anything by itself.
func isCryptHash(v []byte) bool {
	return len(v) > 20 && v[0] == '$' && bytes.Count(v[:min(len(v), 40)], []byte("$")) >= 2
}

// isTag reports a YAML tag before a value, or alone.
func isTag(v []byte) bool {
	i := 1
	for i < len(v) && (isWord(v[i]) || v[i] == '!' || v[i] == ':' || v[i] == '-') {
		i++
	}
	return i < len(v) && isSpace(v[i]) || i == len(v) && randomness(v[1:]) < 2
}

// hasReferenceScheme reports "vault:…", "op://…", "env:…" and the like.
func hasReferenceScheme(v []byte) bool {
	i := bytes.IndexByte(v[:min(len(v), 40)], ':')
	if i < 2 {
		return bytes.HasPrefix(v, []byte("projects/")) && bytes.Contains(v, []byte("/secrets/"))
	}
	var buf [96]byte
	scheme := lower(buf[:0], v[:i])
	if bytes.HasPrefix(scheme, []byte("ref+")) {
		return true
	}
	switch string(scheme) {
	case "agent", // a session key: agent:<id>:<name>
		"env", "environment", "var", "vault", "secret", "secrets", "secretref", "file", "op", "bws", "bw", "keyring", "keychain", "ssm", "sm", "awssm", "awsssm", "aws", "asm", "gcpsm", "gcp", "gsm", "azurekeyvault", "akv", "azkv", "kv",
		"doppler", "infisical", "pass", "gopass", "sops", "lastpass", "lpass", "dashlane", "akeyless", "conjur", "summon", "chamber", "valsref", "arn", "resolve", "sealed", "encrypted", "enc", "cyberark", "1password", "onepassword", "exec", "cmd", "store", "k8s", "kms", "credstash", "berglas", "teller", "spring", "configmap", "parameterstore", "consul", "etcd", "tpm":
		return true
	}
	return false
}

// placeholderWords are parts of what people write until they have the secret.
var placeholderWords = [...]string{"your", "changeme", "change_me", "change-me", "change this", "changeit", "replace", "insert", "placeholder", "redacted", "xxxx", "****", "....", "todo", "fixme", "example", "dummy", "enter your", "goes_here", "goes-here", "goes here", "put_", "put-", "fill_", "fill-", "not-a-real", "notreal", "sample", "masked", "some-secret", "somesecret", "supersecret", "my-secret", "mysecret", "secret-here", "undefined", "<", "%s%s"}

var placeholderSet = sync.OnceValue(func() *match.Set { return match.New(placeholderWords[:]) })

// isPlaceholder reports a value that stands where a secret is to be written.
func isPlaceholder(v []byte, s shape) bool {
	if s.monotonous(v) {
		return true
	}
	var buf [96]byte
	low := lower(buf[:0], v)
	set, i, st, hit := placeholderSet(), 0, match.State(0), false
	for {
		if i, st, hit = set.Next(low, i, st); !hit {
			break
		}
		for _, h := range set.Hits(st) {
			n := len(placeholderWords[h])
			if (len(v) <= 64 || n >= 8) && standsOut(low, i-n, n) {
				return true
			}
		}
	}
	switch string(low) {
	case "null", "nil", "none", "true", "false", "yes", "no", "on", "off", "test", "testing", "secret", "password", "token", "default", "empty", "unset", "n/a", "na", "tbd", "string", "str", "hidden", "admin", "root", "guest", "user", "postgres", "pass", "passwd", "required", "optional", "bearer", "basic":
		return true
	}
	return false
}

// standsOut reports whether a word in a value is a word of its own: at an
// edge, beside punctuation, or four of a kind.
func standsOut(low []byte, at, n int) bool {
	if n > 4 || n > 1 && low[at] == low[at+1] {
		return true
	}
	before := at == 0 || !isAlnum(low[at-1])
	after := at+n == len(low) || !isAlnum(low[at+n])
	return before || after
}

// lower appends at most 96 bytes of v in lower case.
func lower(dst, v []byte) []byte {
	for _, c := range v[:min(len(v), 96)] {
		if isUpper(c) {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// isPublic reports a value whose own form says that it is public, or a
// fingerprint, or an encrypted or hashed thing.
func isPublic(v []byte) bool {
	if isCryptHash(v) {
		return true
	}
	for _, p := range publicPrefixes(v[0]) {
		if len(v) > len(p) && string(v[:len(p)]) == p {
			return true
		}
	}
	return publishable(v)
}

// publicPrefixes are the beginnings of public things, by their first byte.
func publicPrefixes(c byte) []string {
	switch c {
	case 's':
		return []string{"ssh-", "sk-ssh-", "sha1-", "sha256-", "sha384-", "sha512-", "sha1:", "sha256:", "sha384:", "sha512:"}
	case 'e':
		return []string{"ecdsa-sha2-"}
	case 'a':
		return []string{"age1"}
	case 'p':
		return []string{"pub-", "pubkey-", "pbkdf2"}
	case 'm':
		return []string{"md5:"}
	case 'b':
		return []string{"blake2b:"}
	case 'u':
		return []string{"urn:"}
	case 'd':
		return []string{"data:"}
	case 'W':
		return []string{`W/"`}
	case 'F':
		return []string{"FLWPUBK"}
	case '-':
		return []string{"-----BEGIN PUBLIC", "-----BEGIN CERT", "-----BEGIN RSA PUBLIC", "-----BEGIN PGP PUBLIC"}
	case '{':
		return []string{"{SSHA", "{SHA"}
	}
	return nil
}

// publishable reports a prefix such as pk_live_, acme_pk_live_ or
// acme_public_. A lone pk before a number is somebody's personal key.
func publishable(v []byte) bool {
	rest := v[:min(len(v), 32)]
	for len(rest) > 0 {
		i := bytes.IndexAny(rest, "_-.")
		if i < 0 || i > 12 {
			return false
		}
		part := rest[:i]
		rest = rest[i+1:]
		switch string(part) {
		case "pub", "public", "publishable", "PUB", "PUBLIC":
			return true
		case "pk":
			return len(rest) == 0 || !isDigit(rest[0])
		}
	}
	return false
}
