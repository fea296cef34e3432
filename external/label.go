// Package external is layer 5: mails, pages and hook payloads are data. It
// folds, detects, wraps and labels text from outside and hands out Sealed.
package external

// Label is the integrity of a text: trusted, or from outside with its source.
type Label struct {
	Untrusted bool   `json:"untrusted"`
	Source    string `json:"source,omitempty"` // email, webhook, web_fetch, mcp:<server>, …
}

// Join is the lower of two labels: untrusted wins and keeps the first source.
func (l Label) Join(o Label) Label {
	if l.Untrusted || !o.Untrusted {
		return l
	}
	return o
}

// String is the label as sessions, policy and the journal keep it: "" when
// trusted, else "untrusted:<source>".
func (l Label) String() string {
	if !l.Untrusted {
		return ""
	}
	return "untrusted:" + l.Source
}
