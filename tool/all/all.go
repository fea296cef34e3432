// Package all lists every tool of the gateway.
package all

import (
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/agentslist"
	"github.com/chitin-sh/chitin/tool/applypatch"
	"github.com/chitin-sh/chitin/tool/edit"
	"github.com/chitin-sh/chitin/tool/exec"
	"github.com/chitin-sh/chitin/tool/gatewaytool"
	"github.com/chitin-sh/chitin/tool/image"
	"github.com/chitin-sh/chitin/tool/ls"
	"github.com/chitin-sh/chitin/tool/process"
	"github.com/chitin-sh/chitin/tool/procs"
	"github.com/chitin-sh/chitin/tool/read"
	"github.com/chitin-sh/chitin/tool/sessionstatus"
	"github.com/chitin-sh/chitin/tool/webfetch"
	"github.com/chitin-sh/chitin/tool/write"
)

// Deps is what the application connects to the tools. Everything may be zero:
// a tool then does what it can without, or says what is missing.
type Deps struct {
	Exec    exec.Options // Procs is taken from below
	Procs   *procs.Table // background processes; made when nil
	Fetch   webfetch.Options
	Viewer  image.Viewer
	Status  sessionstatus.Source
	Agents  agentslist.Lister
	Gateway gatewaytool.Admin
	More    []tool.Tool // tools of other packages, such as sessions and cron
}

// Tools is the list, one line a tool.
func Tools(d Deps) []tool.Tool {
	if d.Procs == nil {
		d.Procs = procs.NewTable(procs.Limits{})
	}
	d.Exec.Procs = d.Procs
	return append([]tool.Tool{
		exec.New(d.Exec),
		process.New(d.Procs),
		read.Tool{},
		ls.Tool{},
		write.Tool{},
		edit.Tool{},
		applypatch.Tool{},
		image.New(d.Viewer),
		webfetch.New(d.Fetch),
		sessionstatus.New(d.Status),
		agentslist.New(d.Agents),
		gatewaytool.New(d.Gateway),
	}, d.More...)
}
