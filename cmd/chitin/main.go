// Command chitin is a hard shell for agents: it stands between whatever calls
// tools and the machine they run on.
package main

import (
	"os"

	"github.com/chitin-sh/chitin/internal/cli"
	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

func main() {
	supervisor.MaybeRun()
	launch.MaybeRun()
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
