// Package all lists every check, in the order in which findings come: that of
// the peer's collectors, with ours where they belong.
package all

import (
	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/exposure"
	"github.com/chitin-sh/chitin/audit/checks/files"
	"github.com/chitin-sh/chitin/audit/checks/gateway"
	"github.com/chitin-sh/chitin/audit/checks/hooks"
	"github.com/chitin-sh/chitin/audit/checks/meta"
	"github.com/chitin-sh/chitin/audit/checks/models"
	"github.com/chitin-sh/chitin/audit/checks/sandbox"
	"github.com/chitin-sh/chitin/audit/checks/toolpolicy"
)

// Checks is the list. Adding a check is adding it to its package's list.
func Checks() []audit.Check {
	var out []audit.Check
	for _, list := range [][]audit.Check{
		meta.Summary(),
		files.Synced(),
		gateway.Checks(),
		meta.Flags(),
		toolpolicy.Checks(),
		hooks.Checks(),
		hooks.HTTP(),
		sandbox.Checks(),
		gateway.Nodes(),
		toolpolicy.Minimal(),
		meta.Secrets(),
		models.Checks(),
		exposure.Checks(),
		files.State(),
		files.Deep(),
		meta.Late(),
	} {
		out = append(out, list...)
	}
	return out
}
