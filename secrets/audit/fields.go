package audit

import (
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/doc"
)

// PlainFields are the secret-bearing fields of a configuration that hold
// their value: what can become a reference.
func PlainFields(root *doc.Node) []*doc.Node {
	var out []*doc.Node
	root.Walk(func(n *doc.Node) bool {
		if n.Path == "secrets" {
			return false
		}
		if n.Kind == doc.String && n.Value != "" && secretBearing(n) && !isPointer(n.Value) && !secrets.IsPlaceholder(secrets.NewValue(n.Value)) {
			if _, ok := shorthand(n.Value); !ok {
				out = append(out, n)
			}
		}
		return true
	})
	return out
}
