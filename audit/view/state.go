package view

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/tree"
)

type rowsKey struct{}

// rows reads the state database once a run.
func rows(s *audit.Subject) map[string]string {
	return audit.Memo(s, rowsKey{}, func() map[string]string {
		if s.Rows == nil {
			return nil
		}
		return s.Rows()
	})
}

// Row is a JSON document of the peer's state database.
func Row(s *audit.Subject, key string) *audit.Node {
	text, ok := rows(s)[key]
	if !ok {
		return nil
	}
	n, err := tree.JSON5(key, []byte(text))
	if err != nil {
		return nil
	}
	return n
}

type approvalsKey struct{}

// Approvals is the document of exec approvals: from the state database, else
// from the older file.
func Approvals(s *audit.Subject) *audit.Node {
	return audit.Memo(s, approvalsKey{}, func() *audit.Node {
		for _, key := range slices.Sorted(maps.Keys(rows(s))) {
			if !strings.Contains(strings.ToLower(key), "approval") {
				continue
			}
			if n := Row(s, key); n.Get("agents").Set() || n.Get("defaults").Set() {
				return n
			}
		}
		for _, dir := range []string{s.StateDir, filepath.Join(s.Home, ".openclaw")} {
			if n := JSONFile(s, filepath.Join(dir, "exec-approvals.json")); n.Set() {
				return n
			}
		}
		return nil
	})
}

// JSONFile reads a JSON file of the subject; nil when it is not there or
// broken.
func JSONFile(s *audit.Subject, path string) *audit.Node {
	text, err := s.Disk.Read(path)
	if err != nil {
		return nil
	}
	n, err := tree.JSON5(path, text)
	if err != nil {
		s.Disk.Skip(path, "cannot be parsed")
		return nil
	}
	return n
}
