// Command chitin-sup is PID 1 inside every sandbox; see package supervisor.
package main

import (
	"os"

	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == supervisor.Arg {
		args = args[1:]
	}
	os.Exit(supervisor.Main(args))
}
