package scan

import "bytes"

// addressEnds are the bytes that an address cannot go on with.
var addressEnds = [256]bool{' ': true, '\t': true, '\n': true, '\r': true, '"': true, '\'': true, '`': true, '<': true, '>': true, '\\': true, ',': true, ';': true}

// url finds the secret part of an address: the password of its user, or the
// token in the path of a well-known kind of webhook. It returns the offsets
// of that part, or of nothing when rule is empty.
func url(v []byte) (rule string, from, to int) {
	i := bytes.Index(v, []byte("://"))
	if i < 2 || i > 32 {
		return "", 0, 0
	}
	start := i + 3
	end := start
	for end < len(v) && !addressEnds[v[end]] {
		end++
	}
	rest := v[start:end]
	slash := bytes.IndexAny(rest, "/?#")
	if slash < 0 {
		slash = len(rest)
	}
	at := bytes.LastIndexByte(rest[:slash], '@')
	if at < 0 && slash < len(rest) {
		// A password with an unescaped slash still ends at the last @
		// before the host.
		if j := bytes.IndexByte(rest, '@'); j > 0 && bytes.IndexByte(rest[:j], ':') > 0 && bytes.IndexByte(rest[:slash], ':') > 0 && notPort(rest[:slash]) {
			at = j
		}
	}
	if at > 0 {
		user := rest[:at]
		if colon := bytes.IndexByte(user, ':'); colon >= 0 && credible(user[colon+1:]) {
			return "url-password", start + colon + 1, start + at
		}
	}
	if from, to, ok := webhook(rest); ok {
		return "webhook-url", start + from, start + to
	}
	return "", 0, 0
}

// notPort reports that what follows the first colon is not a port number.
func notPort(hostport []byte) bool {
	p := hostport[bytes.IndexByte(hostport, ':')+1:]
	return len(p) == 0 || measure(p).digit != len(p)
}

// credible reports a password that is neither a reference nor a placeholder.
func credible(p []byte) bool {
	if len(p) < 4 || isReference(p) || bytes.ContainsAny(p, "{}$<>") {
		return false
	}
	s := measure(p)
	return !isPlaceholder(p, s) && (s.digit+s.symbol > 0 || s.classes() > 1 || randomness(p) >= randomStrong)
}

// webhook finds the secret path of an address that anybody who knows it may
// post to.
func webhook(rest []byte) (from, to int, ok bool) {
	slash := bytes.IndexByte(rest, '/')
	if slash < 0 {
		return 0, 0, false
	}
	var buf [96]byte
	host, path := lower(buf[:0], rest[:slash]), rest[slash:]
	known := false
	for _, h := range []string{"hooks.slack.com", "discord.com", "discordapp.com", "webhook.office.com", "outlook.office.com", "chat.googleapis.com", "hooks.zapier.com", "maker.ifttt.com", "hook.eu1.make.com", "hook.integromat.com", "api.telegram.org", "open.feishu.cn", "oapi.dingtalk.com", "qyapi.weixin.qq.com", "hooks.airtable.com", "events.pagerduty.com", "alert.victorops.com"} {
		known = known || bytes.HasSuffix(host, []byte(h))
	}
	hookish := bytes.Contains(host, []byte("hook")) || bytes.Contains(path, []byte("hook")) || bytes.Contains(path, []byte("/services/"))
	if !known && !hookish {
		return 0, 0, false
	}
	// The longest random segment is the secret.
	pos := slash
	for part := range bytes.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '?' || r == '&' || r == '=' }) {
		i := bytes.Index(rest[pos:], part) + pos
		pos = i + len(part)
		if len(part) >= 16 && randomness(part) >= measure(part).keyishFloor() && !isReference(part) && !measure(part).monotonous(part) && (known || len(part) >= 20) {
			if len(part) > to-from {
				from, to, ok = i, i+len(part), true
			}
		}
	}
	return from, to, ok
}
