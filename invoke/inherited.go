package invoke

import (
	"encoding/json"

	"github.com/chitin-sh/chitin/toolpolicy"
)

// pair is a policy on disk. An empty allow list means nobody and must not turn
// into an absent one, which restricts nothing: neither key is ever left out.
type pair struct {
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

// EncodeInherited writes what a parent's policy leaves a session.
func EncodeInherited(m map[string]toolpolicy.Policy) (string, error) {
	out := make(map[string]pair, len(m))
	for name, p := range m {
		out[name] = pair(p)
	}
	b, err := json.Marshal(out)
	return string(b), err
}

// inherited reads it back. What cannot be read leaves nothing.
func inherited(text string) map[string]toolpolicy.Policy {
	if text == "" {
		return nil
	}
	var in map[string]pair
	if err := json.Unmarshal([]byte(text), &in); err != nil || in == nil {
		return map[string]toolpolicy.Policy{"unreadable": {Allow: []string{}}}
	}
	out := make(map[string]toolpolicy.Policy, len(in))
	for name, p := range in {
		out[name] = toolpolicy.Policy(p)
	}
	return out
}
