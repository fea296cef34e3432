// Package docgen renders the documents that are made from Go values: command
// pages, the configuration reference and schema, checks and routes. A test
// fails when a checked-in file differs from what the code says.
package docgen

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Files is every generated document by its path from the repository's root.
func Files() (map[string][]byte, error) {
	schema, err := config.Schema()
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{
		"docs/config.md":          []byte(config.Reference()),
		"docs/chitin.schema.json": schema,
		"docs/commands.md":        commands(),
	}
	for path, render := range extra {
		b, err := render()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out[path] = b
	}
	return out, nil
}

// Compare lists the files below root that differ from what the code says.
func Compare(root string) ([]string, error) {
	files, err := Files()
	if err != nil {
		return nil, err
	}
	var stale []string
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil || !bytes.Equal(got, want) {
			stale = append(stale, path)
		}
	}
	sort.Strings(stale)
	return stale, nil
}

// Write writes every file below root.
func Write(root string) error {
	files, err := Files()
	if err != nil {
		return err
	}
	for path, b := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// commands is one page for the whole tree.
func commands() []byte {
	root := cli.Root(&cliutil.Env{Getenv: func(string) string { return "" }})
	var b strings.Builder
	b.WriteString("# Commands\n\nMade from the commands' own help.\n\n")
	page(&b, root)
	return []byte(b.String())
}

func page(b *strings.Builder, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
		return
	}
	fmt.Fprintf(b, "## %s\n\n%s.\n\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."))
	if c.Long != "" {
		b.WriteString(c.Long + "\n\n")
	}
	if c.Runnable() && c.HasParent() {
		b.WriteString("```\n" + c.UseLine() + "\n```\n\n")
	}
	if c.Example != "" {
		b.WriteString("```sh\n" + strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n") + "\n```\n\n")
	}
	flags(b, c.NonInheritedFlags())
	for _, sub := range c.Commands() {
		page(b, sub)
	}
}

func flags(b *strings.Builder, fs *pflag.FlagSet) {
	rows := 0
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		if rows == 0 {
			b.WriteString("| flag | meaning |\n| --- | --- |\n")
		}
		rows++
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, strings.ReplaceAll(f.Usage, "|", "\\|"))
	})
	if rows > 0 {
		b.WriteString("\n")
	}
}
