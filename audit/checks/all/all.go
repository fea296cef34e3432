// Package all lists every check, in the order in which findings come: that of
// the peer's collectors, with ours where they belong.
package all

import (
	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/channels"
	"github.com/chitin-sh/chitin/audit/checks/exposure"
	"github.com/chitin-sh/chitin/audit/checks/files"
	"github.com/chitin-sh/chitin/audit/checks/gateway"
	"github.com/chitin-sh/chitin/audit/checks/hooks"
	"github.com/chitin-sh/chitin/audit/checks/host"
	"github.com/chitin-sh/chitin/audit/checks/mcp"
	"github.com/chitin-sh/chitin/audit/checks/meta"
	"github.com/chitin-sh/chitin/audit/checks/models"
	"github.com/chitin-sh/chitin/audit/checks/plugins"
	"github.com/chitin-sh/chitin/audit/checks/sandbox"
	"github.com/chitin-sh/chitin/audit/checks/secrets"
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
		channels.Browser(),
		toolpolicy.Checks(),
		toolpolicy.Own(),
		hooks.Checks(),
		hooks.HTTP(),
		sandbox.Checks(),
		gateway.Nodes(),
		toolpolicy.Minimal(),
		meta.Secrets(),
		secrets.Checks(),
		mcp.Checks(),
		meta.Own(),
		models.Checks(),
		exposure.Checks(),
		files.State(),
		files.Deep(),
		files.Own(),
		plugins.Workspace(),
		sandbox.BrowserContainers(),
		plugins.Trust(),
		plugins.Code(),
		channels.Checks(),
		host.Gateway(),
		host.Engine(),
		host.Containers(),
		host.Kernel(),
		meta.Late(),
	} {
		out = append(out, list...)
	}
	return out
}
