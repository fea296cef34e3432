package scan

import "bytes"

const maxValue = 8 << 10

// assignment takes apart "key: value" and "key = value" around a separator
// and judges it.
func (p *pass) assignment(sep int, equals bool) {
	b := p.b
	if sep+1 >= len(b) || (equals && (b[sep+1] == '=' || sep > 0 && bytes.IndexByte([]byte("=!<>+-*/%&|^~"), b[sep-1]) >= 0)) {
		return
	}
	if !equals && (b[sep+1] == ':' || b[sep+1] == '/' || b[sep+1] == '=') {
		return
	}
	ks, ke, wrap := p.key(sep)
	if ke-ks < 2 || !hasLetter(b[ks:ke]) { // a time of day is no assignment
		return
	}
	vs, ve, quoted := p.value(sep+1, wrap, equals && ks > 0 && (b[ks-1] == '?' || b[ks-1] == '&' || b[ks-1] == ';'))
	if ve-vs < minPassword || ve-vs > maxValue {
		return
	}
	key, v := b[ks:ke], b[vs:ve]
	if bytes.HasPrefix(v, []byte("-----BEGIN ")) {
		return // the header is an anchor of its own
	}
	d := p.e.judge(key, v, quoted || wrap != 0)
	if d.rule == "" && !d.done && !quoted {
		// "password=x and more", in a shell or a log.
		// A test runner's "PASS: TestName" is not one.
		if n := bytes.IndexByte(v, ' '); n >= minPassword && !bytes.EqualFold(bytes.TrimLeft(key, "- "), []byte("pass")) {
			d = p.e.judge(key, bytes.TrimRight(v[:n], ",;.)"), false)
		}
	}
	if d.rule != "" {
		p.add(d.rule, vs+d.from, vs+d.to, key)
	}
	if d.rule != "" || d.done {
		p.skip = ve
	}
}

// key is the name before a separator, without its quotes. wrap is the quote
// that opens before the name and closes after the value, as in "KEY=value".
func (p *pass) key(sep int) (start, end int, wrap byte) {
	b, i := p.b, sep
	for i > 0 && (b[i-1] == ' ' || b[i-1] == '\t' || b[i-1] == ':' || b[i-1] == '?') && sep-i < 40 {
		i--
	}
	if i > 0 && (b[i-1] == '"' || b[i-1] == '\'' || b[i-1] == '`' || b[i-1] == ']') {
		return p.quotedKey(i - 1)
	}
	end = i
	for i > 0 && end-i < maxKey && (isToken(b[i-1]) || b[i-1] == '/' || b[i-1] == '$') {
		i--
	}
	if i > 0 && isTypeName(b[i:end]) {
		// "var token string =" and "token: string =" name the type last.
		j := i
		for j > 0 && (b[j-1] == ' ' || b[j-1] == ':' || b[j-1] == '*' || b[j-1] == '&') {
			j--
		}
		k := j
		for k > 0 && isWord(b[k-1]) {
			k--
		}
		if j > k && j < i {
			i, end = k, j
		}
	}
	if i > 0 && (b[i-1] == '"' || b[i-1] == '\'') {
		wrap = b[i-1]
	}
	return i, end, wrap
}

// quotedKey is the name inside the quotes or brackets that close at i.
func (p *pass) quotedKey(i int) (start, end int, wrap byte) {
	b, q := p.b, p.b[i]
	if q == ']' { // env["KEY"]
		if i < 2 || (b[i-1] != '"' && b[i-1] != '\'') {
			return i, i, 0
		}
		i--
		q = b[i]
	}
	end = i
	if end > 0 && b[end-1] == '\\' {
		end--
	}
	j := end
	for j > 0 && end-j < maxKey && b[j-1] != q && b[j-1] != '\n' {
		j--
	}
	return j, end, 0
}

func hasLetter(w []byte) bool {
	for _, c := range w {
		if isLetter(c) {
			return true
		}
	}
	return false
}

// stops are the bytes at which a value without quotes may end.
var stops = [256]bool{'\n': true, '\r': true, 0: true, ' ': true, '\t': true, '"': true, '\'': true, '`': true, '&': true, '#': true, ';': true, '\\': true, '<': true, '>': true, ',': true}

func isTypeName(w []byte) bool {
	switch string(w) {
	case "string", "String", "str", "char", "text", "any", "Text", "varchar", "byte", "CharSequence", "Optional", "const", "static":
		return true
	}
	return false
}

// value is what follows a separator: inside quotes, or to the end of the line
// or of the parameter.
func (p *pass) value(i int, wrap byte, param bool) (start, end int, quoted bool) {
	b := p.b
	if i < len(b) && b[i] == '>' {
		i++ // =>
	}
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	if i+1 < len(b) && isLetter(b[i]) && (b[i+1] == '"' || b[i+1] == '\'') && b[i] != 'W' {
		i++ // b"…", r'…', f"…"
	}
	i = p.skipTag(i)
	if i >= len(b) || b[i] == '\n' || b[i] == '\r' {
		return i, i, false
	}
	if b[i] == '|' || b[i] == '>' {
		return p.block(i)
	}
	if b[i] == '\\' && i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\'') {
		return p.escapedQuote(i)
	}
	if b[i] == '"' || b[i] == '\'' || b[i] == '`' {
		start, end = p.quoted(i)
		return start, end, true
	}
	start, end = p.bare(i, wrap, param)
	return start, end, false
}

// skipTag steps over a YAML tag that says only how the value is written.
func (p *pass) skipTag(i int) int {
	if i >= len(p.b) || p.b[i] != '!' {
		return i
	}
	for _, t := range []string{"!!binary ", "!!str ", "!<str> "} {
		if bytes.HasPrefix(p.b[i:min(len(p.b), i+16)], []byte(t)) {
			return i + len(t)
		}
	}
	return i
}

// block is the first line of a YAML block scalar.
func (p *pass) block(i int) (start, end int, quoted bool) {
	b := p.b
	for i < len(b) && b[i] != '\n' {
		if !bytes.ContainsRune([]byte("|>+-0123456789 \r"), rune(b[i])) {
			return i, i, false
		}
		i++
	}
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	end = i
	for end < len(b) && b[end] != '\n' && b[end] != '\r' {
		end++
	}
	return i, end, false
}

// escapedQuote is a value in a document that is itself in quotes.
func (p *pass) escapedQuote(i int) (start, end int, quoted bool) {
	b := p.b
	start = i + 2
	for end = start; end+1 < len(b) && end-start < maxValue && b[end] != '\n'; end++ {
		if b[end] == '\\' && b[end+1] == b[i+1] {
			return start, end, true
		}
	}
	return start, start, false
}

// quoted is the text between quotes; three of a kind span lines.
func (p *pass) quoted(i int) (start, end int) {
	b, q := p.b, p.b[i]
	if i+2 < len(b) && b[i+1] == q && b[i+2] == q {
		start = i + 3
		if start < len(b) && b[start] == '\n' {
			start++
		}
		if n := bytes.Index(b[start:min(len(b), start+maxValue)], []byte{q, q, q}); n >= 0 {
			end = start + n
			for end > start && isSpace(b[end-1]) {
				end--
			}
			return start, end
		}
		return start, start
	}
	start = i + 1
	for end = start; end < len(b) && end-start <= maxValue; end++ {
		switch b[end] {
		case q:
			return start, end
		case '\\':
			end++
		case '\n':
			return start, start
		}
	}
	return start, start
}

// bare is a value without quotes.
func (p *pass) bare(i int, wrap byte, param bool) (start, end int) {
	b := p.b
	end = i
scan:
	for limit := min(len(b), i+maxValue+1); end < limit; {
		for end < limit && !stops[b[end]] {
			end++
		}
		if end == limit {
			break
		}
		c := b[end]
		switch {
		case c == '\n' || c == '\r' || c == 0:
			break scan
		case wrap != 0 && c == wrap:
			break scan
		case param && (c == '&' || c == '#' || c == ';' || c == '"' || c == '\'' || c == ' ' || c == '\\' || c == '<' || c == '>'):
			break scan
		case (c == ' ' || c == '\t') && end+1 < len(b) && (b[end+1] == '#' || b[end+1] == ';' || b[end+1] == '/' && end+2 < len(b) && b[end+2] == '/'):
			break scan
		case c == ',' && (end+1 >= len(b) || isSpace(b[end+1])):
			break scan
		case c == '\\' && end+1 < len(b) && b[end+1] == 'n':
			break scan
		}
		end++
	}
	for end > i && (isSpace(b[end-1]) || b[end-1] == ';' || b[end-1] == ',' || b[end-1] == '}' && bytes.IndexByte(b[i:end], '{') < 0) {
		end--
	}
	if wrap == 0 && end > i && (b[end-1] == '"' || b[end-1] == '\'') && bytes.Count(b[i:end], b[end-1:end]) == 1 {
		end--
	}
	return i, end
}
