package httpapi

import (
	"net/http"
	"net/url"
	"strings"
)

// router finds the row of a request. There is one look-up: the row it returns
// holds both the protection and the handler, so they cannot disagree.
type router struct {
	exact    map[string]*route
	patterns []pattern
	prefixes []*route
}

type pattern struct {
	head, tail string // around the one variable segment
	route      *route
}

func newRouter(rows []route) *router {
	m := &router{exact: map[string]*route{}}
	for i := range rows {
		r := &rows[i]
		switch {
		case r.prefix:
			m.prefixes = append(m.prefixes, r)
		case strings.Contains(r.Path, "{"):
			head, rest, _ := strings.Cut(r.Path, "{")
			_, tail, _ := strings.Cut(rest, "}")
			m.patterns = append(m.patterns, pattern{head, tail, r})
		default:
			m.exact[r.Path] = r
		}
	}
	return m
}

// find matches the path exactly as it was sent: fixed segments are compared
// without decoding, so an encoded spelling of a path is simply another path.
// Only the variable segment is decoded, after it was cut out.
func (m *router) find(u *url.URL) (r *route, param string) {
	path := u.RawPath
	if path == "" {
		path = u.Path
	}
	if r := m.exact[path]; r != nil {
		return r, ""
	}
	if !plainPath(path) {
		return nil, ""
	}
	for i := range m.patterns {
		p := &m.patterns[i]
		if len(path) <= len(p.head)+len(p.tail) || !strings.HasPrefix(path, p.head) || !strings.HasSuffix(path, p.tail) {
			continue
		}
		seg := path[len(p.head) : len(path)-len(p.tail)]
		if strings.Contains(seg, "/") {
			continue
		}
		if param, ok := decodeSegment(seg); ok {
			return p.route, param
		}
	}
	for _, r := range m.prefixes {
		if base := strings.TrimSuffix(r.Path, "*"); strings.HasPrefix(path, base) && !strings.Contains(path, "%") {
			return r, path[len(base):]
		}
	}
	return nil, ""
}

// plainPath refuses spellings that some program on the way might rewrite:
// empty and dot segments, backslashes, parameters.
func plainPath(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.ContainsAny(p, "\\;\x00") {
		return false
	}
	for seg := range strings.SplitSeq(p[1:], "/") {
		if seg == "." || seg == ".." {
			return false
		}
	}
	return true
}

const maxSegment = 512

// decodeSegment decodes a variable segment once. What decodes to another
// separator, to a dot segment, to control characters or to something that could
// be decoded again is refused.
func decodeSegment(s string) (string, bool) {
	if s == "" || len(s) > maxSegment {
		return "", false
	}
	d, err := url.PathUnescape(s)
	if err != nil || d == "." || d == ".." {
		return "", false
	}
	for _, r := range d {
		if r < 0x20 || r == 0x7f || r == 0xfffd || strings.ContainsRune(`/\%;`, r) {
			return "", false
		}
	}
	return d, true
}

// methodAllowed reports whether a route takes the request's method.
func (r *route) methodAllowed(req *http.Request) bool {
	for _, m := range r.Methods {
		if m == req.Method {
			return true
		}
	}
	return false
}
