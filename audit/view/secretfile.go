package view

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

// fromFile reads a secret of a file provider: the whole file, or a place in a
// JSON document.
func fromFile(s *audit.Subject, provider *audit.Node, id string) (string, bool) {
	path := provider.Get("path").Text()
	if !filepath.IsAbs(path) {
		return "", false
	}
	text, err := s.Disk.Read(path)
	if err != nil {
		return "", false
	}
	if provider.Get("mode").Text() == "singleValue" || id == "value" {
		return strings.TrimSpace(string(text)), true
	}
	var doc any
	if json.Unmarshal(text, &doc) != nil {
		return "", false
	}
	for _, part := range strings.Split(strings.TrimPrefix(id, "/"), "/") {
		m, ok := doc.(map[string]any)
		if !ok {
			return "", false
		}
		doc = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	v, ok := doc.(string)
	return strings.TrimSpace(v), ok
}
