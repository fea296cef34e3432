// Command chitin-sup is PID 1 inside every sandbox; see package supervisor.
// Started under another name it is what builds a namespace sandbox before it
// becomes PID 1 there; see package launch.
package main

import (
	"os"

	"github.com/chitin-sh/chitin/sandbox/namespace/launch"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

func main() {
	launch.MaybeRun()
	args := os.Args[1:]
	if len(args) > 0 && args[0] == supervisor.Arg {
		args = args[1:]
	}
	os.Exit(supervisor.Main(args))
}
