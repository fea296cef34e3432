package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// address judges a URL that is not the value of an assignment.
func (p *pass) address(end int) {
	start := end - 3
	for start > 0 && end-start < 24 && (isAlnum(p.b[start-1]) || p.b[start-1] == '+' || p.b[start-1] == '.' || p.b[start-1] == '-') {
		start--
	}
	stop := end
	for stop < len(p.b) && stop-end < 2048 && !isSpace(p.b[stop]) && p.b[stop] != '"' && p.b[stop] != '\'' && p.b[stop] != '`' {
		stop++
	}
	if rule, from, to := url(p.b[start:stop]); rule != "" {
		p.add(rule, start+from, start+to, nil)
	}
}

const maxPEM = 64 << 10

// pem finds a private key from its header to its footer.
func (p *pass) pem(end int) {
	b := p.b
	head := b[end:min(len(b), end+64)]
	if bytes.HasPrefix(bytes.ToLower(b[max(0, end-20):end]), []byte("putty-user-key-file-")) {
		if i := bytes.Index(b[end:min(len(b), end+maxPEM)], []byte("Private-Lines:")); i >= 0 {
			p.add("private-key", end-20, min(len(b), end+i+512), nil)
		}
		return
	}
	stop := bytes.Index(head, []byte("-----"))
	if stop < 0 || !bytes.Contains(head[:stop], []byte("PRIVATE KEY")) {
		return
	}
	start := end - len("-----BEGIN ")
	body := b[end+stop+5 : min(len(b), end+maxPEM)]
	close := bytes.Index(body, []byte("-----END "))
	if close < 0 {
		close = len(body)
		if i := bytes.Index(body, []byte("\n\n")); i >= 0 {
			close = i
		}
	}
	if !keyBody(body[:close]) {
		return
	}
	stopAt := end + stop + 5 + close
	if rest := b[stopAt:min(len(b), stopAt+80)]; bytes.HasPrefix(rest, []byte("-----END ")) {
		if i := bytes.Index(rest[9:], []byte("-----")); i >= 0 {
			stopAt += 9 + i + 5
		}
	}
	p.add("private-key", start, stopAt, nil)
}

// keyBody reports a body that holds key material and not "…" or a word.
func keyBody(body []byte) bool {
	n, dots := 0, 0
	for _, c := range body[:min(len(body), 4096)] {
		if isAlnum(c) || c == '+' || c == '/' {
			n++
		}
		if c == '.' || c == '$' || c == '<' {
			dots++
		}
	}
	return n >= 40 && dots < 6 && measure(body).entropy > 3
}

// encoded judges what begins as the base64 of a JSON object (a JWT) or of a
// key's header.
func (p *pass) encoded(end int) {
	b := p.b
	if b[end-1] == 'i' || b[end-1] == 'I' { // the long one: a PEM header in base64
		p.encodedPEM(end)
		return
	}
	start := end - 3
	if b[start] != 'e' || b[start+1] != 'y' || b[start+2] != 'J' || start > 0 && (isWord(b[start-1]) || b[start-1] == '-') {
		return
	}
	stop, dots := start, 0
	for stop < len(b) && stop-start < maxValue && (isWord(b[stop]) || b[stop] == '-' || b[stop] == '=' || b[stop] == '.' && dots < 4) {
		if b[stop] == '.' {
			dots++
		}
		stop++
	}
	parts := bytes.SplitN(bytes.TrimRight(b[start:stop], "."), []byte("."), 4)
	if len(parts) < 3 && len(parts) != 2 || len(parts[0]) < 12 {
		return
	}
	if start >= 3 && publishable(b[start-3:start]) || !isJSONObject(parts[0]) {
		if start >= 3 && publishable(b[start-3:start]) {
			p.skip = max(p.skip, stop)
		}
		return
	}
	if len(parts) < 3 || len(parts[2]) < 16 || measure(parts[2]).monotonous(parts[2]) {
		return
	}
	if claims := decode(parts[1]); bytes.Contains(claims, []byte(`"role":"anon"`)) {
		p.skip = max(p.skip, stop)
		return
	}
	if start >= 3 && (string(b[start-3:start]) == "sk." || string(b[start-3:start]) == "tk.") {
		start -= 3
	}
	p.add("jwt", start, start+len(bytes.TrimRight(b[start:stop], ".")), nil)
}

func decode(part []byte) []byte {
	out, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimRight(part, "=")))
	if err != nil {
		return nil
	}
	return out
}

func isJSONObject(part []byte) bool {
	var v map[string]any
	return json.Unmarshal(decode(part), &v) == nil
}

func (p *pass) encodedPEM(end int) {
	b := p.b
	start := end - len("ls0tls1crudjti")
	stop := start
	for stop < len(b) && stop-start < maxPEM && (isAlnum(b[stop]) || b[stop] == '+' || b[stop] == '/' || b[stop] == '=') {
		stop++
	}
	n := min(stop-start, 80) / 4 * 4
	if head, err := base64.StdEncoding.DecodeString(string(b[start : start+n])); err == nil && bytes.Contains(head, []byte("PRIVATE KEY")) && stop-start > 80 {
		p.add("private-key", start, stop, nil)
	}
}

// authorization judges the credential after "Bearer " or "Basic " wherever
// it stands.
func (p *pass) authorization(i int) {
	b := p.b
	stop := i
	for stop < len(b) && stop-i < maxValue && (isToken(b[stop]) || b[stop] == '+' || b[stop] == '/' || b[stop] == '=' || b[stop] == '~') {
		stop++
	}
	v := b[i:stop]
	if len(v) < minKeyish || isReference(v) {
		return
	}
	s := measure(v)
	if s.digit == 0 && s.upper == 0 || isPlaceholder(v, s) || isPublic(v) || randomness(v) < randomKeyish {
		return
	}
	p.add("authorization-header", i, stop, nil)
}

// element judges <name>value</name>, seen from its closing tag.
func (p *pass) element(close int) {
	b := p.b
	nameEnd := close + 2
	for nameEnd < len(b) && nameEnd-close < 66 && (isToken(b[nameEnd]) || b[nameEnd] == ':') {
		nameEnd++
	}
	open := close
	for open > 0 && close-open < maxValue && b[open-1] != '>' && b[open-1] != '\n' {
		open--
	}
	name, v := b[close+2:nameEnd], bytes.TrimSpace(b[open:close])
	if open == 0 || b[open-1] != '>' || len(name) < 2 || len(v) < minPassword {
		return
	}
	if d := p.e.judge(name, v, true); d.rule != "" {
		at := bytes.Index(b[open:close], v) + open
		p.add(d.rule, at+d.from, at+d.to, name)
	}
}

// kubernetes judges the base64 values of the data of a Secret.
func (p *pass) kubernetes(end int) {
	b := p.b
	if end < len(b) && (isAlnum(b[end]) && b[end] != '\n') {
		return // SecretStore, SecretProviderClass …
	}
	from, to := 0, len(b)
	if i := bytes.LastIndex(b[:end], []byte("\n---")); i >= 0 {
		from = i + 4
	}
	if i := bytes.Index(b[end:], []byte("\n---")); i >= 0 {
		to = end + i
	}
	for at := from; at < to; {
		stop := bytes.IndexByte(b[at:to], '\n')
		if stop < 0 {
			stop = to - at
		}
		p.encodedValue(at, at+stop)
		at += stop + 1
	}
}

// encodedValue judges one line "key: base64".
func (p *pass) encodedValue(from, to int) {
	line := p.b[from:to]
	sep := bytes.IndexByte(line, ':')
	if sep < 0 {
		return
	}
	key := bytes.Trim(line[:sep], " \t\"'")
	v := bytes.Trim(line[sep+1:], " \t\r\"',")
	if len(v) < 8 || len(key) == 0 {
		return
	}
	plain, err := base64.StdEncoding.DecodeString(string(v))
	if err != nil || len(plain) < minPassword {
		return
	}
	inner := append(append(append([]byte{}, key...), ": "...), plain...)
	rule := ""
	if d := p.e.judge(key, bytes.TrimSpace(plain), true); d.rule != "" {
		rule = d.rule
	} else if found := p.e.Find(inner, nil); len(found) > 0 {
		rule = found[0].Rule
	}
	if rule != "" {
		at := from + sep + 1 + bytes.Index(line[sep+1:], v)
		p.add("kubernetes-"+rule, at, at+len(v), key)
	}
}
