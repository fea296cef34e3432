package cli

import (
	"github.com/chitin-sh/chitin/internal/cli/callcmd"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/configcmd"
	"github.com/chitin-sh/chitin/internal/cli/doctorcmd"
	"github.com/chitin-sh/chitin/internal/cli/journalcmd"
	"github.com/chitin-sh/chitin/internal/cli/servecmd"
	"github.com/spf13/cobra"
)

// add lists every command, by the group that help shows it in.
func add(root *cobra.Command, env *cliutil.Env) {
	groups := []struct {
		id   string
		cmds []*cobra.Command
	}{
		{"run", []*cobra.Command{servecmd.New(env), callcmd.New(env)}},
		{"layers", []*cobra.Command{}},
		{"keep", []*cobra.Command{configcmd.New(env), journalcmd.New(env), doctorcmd.New(env), versionCommand(env)}},
	}
	for _, g := range groups {
		for _, c := range g.cmds {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
}
