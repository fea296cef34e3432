package scan

// keyClass is what a field's name says about its value.
type keyClass struct {
	strong   bool // password, token, secret, api key …
	pass     bool // of those, one that a person may have made up
	keyish   bool // key, auth, signature, webhook …: secret when it looks random
	public   bool // publishable, hash, fingerprint …: part of something public
	about    bool // id, path, type …: something about a value
	url      bool // holds an address or a connection string
	mnemonic bool // recovery words
	last     string
}

const maxKey = 96

// classify splits a name into words and weighs them.
func classify(key []byte) keyClass {
	var k keyClass
	if len(key) > maxKey {
		key = key[len(key)-maxKey:]
	}
	var word [maxKey]byte
	n := 0
	flush := func() {
		if n > 0 {
			prev := k.last
			k.word(string(word[:n]), prev)
			n = 0
		}
	}
	for i, c := range key {
		switch {
		case isLetter(c):
			upper := isUpper(c)
			if upper && i > 0 && (isLower(key[i-1]) || (i+1 < len(key) && isLower(key[i+1]) && isUpper(key[i-1]))) {
				flush()
			}
			word[n] = c | 0x20
			n++
		case isDigit(c) && n > 0 && !allDigitsFrom(key, i):
			word[n] = c
			n++
		default:
			flush()
		}
	}
	flush()
	return k
}

// allDigitsFrom reports whether only digits follow: token2 and token_2 are
// the second token.
func allDigitsFrom(key []byte, i int) bool {
	for ; i < len(key); i++ {
		if !isDigit(key[i]) {
			return false
		}
	}
	return true
}

// word weighs one word of a name. A word about the value, such as path or
// type, loses to a secret one that follows: file_token is a token, token_file
// a file.
func (k *keyClass) word(w, prev string) {
	k.last = w
	switch {
	case passWord(w):
		k.strong, k.pass, k.about = true, true, false
	case secretWord(w), (w == "key" || w == "keys") && secretKeyOf(prev):
		k.strong, k.about = true, false
	case keyishWord(w):
		k.keyish = true
	case urlWord(w):
		k.url, k.about = true, k.about || k.strong && w != "dsn"
	case w == "seed", w == "mnemonic", w == "recovery", w == "phrase":
		k.keyish, k.mnemonic = true, true
	case publicWord(w):
		k.public = true
	case aboutWord(w):
		k.about = true
	}
}

// negative reports that the value is not secret whatever it looks like.
func (k keyClass) negative() bool { return k.public || k.about }

// passWord is a secret that a person may have made up.
func passWord(w string) bool {
	switch w {
	case "password", "passwords", "passwd", "passwort", "pwd", "pass", "passphrase", "passcode", "pw", "userpass", "dbpass", "dbpassword", "rootpassword", "adminpassword", "authpass", "masterpassword", "smtppass", "smtppassword", "bindpw", "userpassword", "requirepass", "masterauth":
		return true
	}
	return false
}

// secretWord is a secret by name.
func secretWord(w string) bool {
	switch w {
	case "secret", "secrets", "token", "tokens", "credential", "credentials", "cred", "creds", "bearer", "authorization",
		"apikey", "apikeys", "apitoken", "apisecret", "authtoken", "authkey", "accesstoken", "refreshtoken", "accesskey", "secretkey", "secretaccesskey", "privatekey", "privkey",
		"clientsecret", "sharedsecret", "appsecret", "appkey", "consumersecret", "jwtsecret", "sessionsecret", "cookiesecret", "bottoken", "apptoken", "usertoken", "signingsecret",
		"signingkey", "encryptionkey", "masterkey", "accountkey", "sharedaccesskey", "sharedkey", "presharedkey", "psk", "pat", "webhooksecret", "hooktoken", "licensekey", "servicekey",
		"sas", "otp", "totp", "hmac", "idtoken", "sessiontoken", "devicetoken", "authsecret", "apipassword", "keypass", "storepass", "accesskeyid":
		return true
	}
	return false
}

// secretKeyOf is a word that makes a following "key" one that opens something.
func secretKeyOf(prev string) bool {
	switch prev {
	case "api", "access", "private", "secret", "signing", "encryption", "encrypt", "decryption", "auth", "master", "account", "shared", "preshared", "hmac", "service", "server",
		"app", "application", "admin", "priv", "ssh", "tls", "ssl", "deploy", "license", "root", "write", "integration", "ingest", "ingestion", "session", "cookie", "storage", "rest",
		"live", "client", "sending", "agent", "bot", "user", "management", "webhook", "crypto", "cipher", "aes", "jwt", "jws", "jwe", "symmetric", "recovery", "wallet", "provisioning":
		return true
	}
	return false
}

// keyishWord is a name whose value is secret when it looks random.
func keyishWord(w string) bool {
	switch w {
	case "key", "keys", "htpasswd", "auth", "webhook", "hook", "jwt", "salt", "cookie", "session", "identity", "private", "priv", "signing", "encryption", "login", "access",
		"refresh", "admin", "oauth", "license", "licence", "kubeconfig", "pem", "authentication", "passkey", "vault", "pepper", "pin", "secure", "crypt", "unlock", "invite", "activation", "bot", "api":
		return true
	}
	return false
}

// urlWord is a name whose value may be an address with a password in it.
func urlWord(w string) bool {
	switch w {
	case "url", "urls", "uri", "dsn", "proxy", "upstream", "remote", "database", "broker", "amqp", "redis", "mongo", "mongodb", "postgres", "mysql", "conn", "connection", "connectionstring", "connstr":
		return true
	}
	return false
}

// publicWord makes anything it is part of public.
func publicWord(w string) bool {
	switch w {
	case "public", "pub", "publishable", "pubkey", "publickey", "anon", "anonymous", "site", "sitekey", "recaptcha", "hash", "hashed", "hashes", "digest", "checksum", "sha", "sha1", "sha256", "sha512",
		"md5", "fingerprint", "thumbprint", "etag", "integrity", "idempotency", "recipient", "recipients", "placeholder", "example":
		return true
	}
	return false
}

// aboutWord says something about a value instead of being it.
func aboutWord(w string) bool {
	switch w {
	case "uuid", "guid", "ulid", "trace", "span", "request", "correlation", "revision", "commit", "rev", "version", "ver", "build", "color", "colour", "mac", "cidr", "ip", "arn",
		"host", "hostname", "port", "endpoint", "path", "file", "filename", "dir", "directory", "folder", "header", "headers", "prompt", "hint", "label", "name", "names", "username", "email", "id", "ids", "sid",
		"limit", "limits", "length", "len", "count", "max", "min", "ttl", "expiry", "expires", "expiration", "expire", "lifetime", "duration", "timeout", "interval", "type", "types", "algo", "algorithm", "alg",
		"mode", "provider", "format", "prefix", "suffix", "field", "env", "var", "variable", "policy", "enabled", "disabled", "required", "template", "ref", "reference", "role", "roles", "scope", "scopes",
		"issuer", "audience", "aud", "description", "desc", "title", "comment", "message", "text", "image", "img", "icon", "favicon", "logo", "avatar", "primary", "foreign", "sort", "partition", "cache",
		"s3", "object", "row", "index", "author", "size", "bits", "usage", "budget", "price", "cost", "per", "total", "rotation", "strength", "manager", "class", "kind", "style", "model", "locale", "lang",
		"rule", "rules", "regex", "pattern", "schema", "status", "region", "zone", "validator", "validation", "selector", "attribute", "column", "table", "page", "cursor", "next", "previous", "offset",
		"copyright", "identifier", "resolved", "tag", "branch", "snapshot", "sum":
		return true
	}
	return false
}

// SecretField reports a name whose value is a secret by that name alone, such
// as botToken or client_secret, but not tokenFile or password_hash.
func SecretField(name string) bool {
	k := classify([]byte(name))
	return k.strong && !k.negative()
}
