// Command docgen compares or writes the generated documents.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/chitin-sh/chitin/internal/docgen"
)

func main() {
	write := flag.Bool("write", false, "write the files instead of comparing them")
	flag.Parse()
	if err := run(*write); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run(write bool) error {
	if write {
		return docgen.Write(".")
	}
	stale, err := docgen.Compare(".")
	if err == nil && len(stale) > 0 {
		err = fmt.Errorf("stale: %v; run make generate", stale)
	}
	return err
}
