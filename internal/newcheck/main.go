// Command newcheck starts a new audit check, or renders the pages about
// checks:
//
//	go run ./internal/newcheck gateway.my_check
//	go run ./internal/newcheck -docs
package main

import (
	"errors"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/docs"
)

func main() {
	pages := flag.Bool("docs", false, "render docs/checks.md and docs/audit-differences.md")
	root := flag.String("root", ".", "the module's directory")
	flag.Parse()
	var err error
	switch {
	case *pages:
		err = render(*root)
	case flag.NArg() == 1:
		err = scaffold(*root, flag.Arg(0))
	default:
		err = errors.New("usage: newcheck [-root DIR] <room>.<name> | -docs")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "newcheck:", err)
		os.Exit(1)
	}
}

func render(root string) error {
	dir := filepath.Join(root, "docs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "checks.md"), []byte(docs.RenderChecks(all.Checks())), 0o644),
		os.WriteFile(filepath.Join(dir, "audit-differences.md"), []byte(docs.RenderDifferences()), 0o644),
	)
}

// rooms maps the first word of an id to its package and layer.
func room(id string) (pkg, layer string, ok bool) {
	first, _, _ := strings.Cut(id, ".")
	switch first {
	case "gateway":
		return "gateway", "LayerGateway", true
	case "hooks":
		return "hooks", "LayerGateway", true
	case "tools", "mcp":
		return "toolpolicy", "LayerPolicy", true
	case "sandbox":
		return "sandbox", "LayerSandbox", true
	case "secrets":
		return "secrets", "LayerSecrets", true
	case "fs":
		return "files", "LayerFiles", true
	case "plugins", "skills":
		return "plugins", "LayerPlugins", true
	case "channels", "browser":
		return "channels", "LayerExternal", true
	case "engine", "container", "kernel", "host", "listen":
		return "host", "LayerHost", true
	case "config", "security", "logging":
		return "meta", "LayerAudit", true
	}
	return "", "", false
}

func camel(id string) string {
	var b strings.Builder
	for _, part := range strings.FieldsFunc(id, func(r rune) bool { return r == '.' || r == '_' }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// scaffold writes a check that its own examples turn red until it is filled
// in, and puts it on the list.
func scaffold(root, id string) error {
	pkg, layer, ok := room(id)
	if !ok || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" || strings.Contains(id, "..") || strings.HasSuffix(id, ".") {
		return fmt.Errorf("%q is no id: begin with gateway, hooks, tools, mcp, sandbox, secrets, fs, plugins, skills, channels, browser, engine, container, kernel, host, listen, config, security or logging", id)
	}
	if _, taken := audit.Lookup(all.Checks(), id); taken {
		return fmt.Errorf("%s exists: chitin security audit explain %s", id, id)
	}
	name := camel(id)
	file := filepath.Join(root, "audit", "checks", pkg, strings.ReplaceAll(strings.ToLower(id), ".", "_")+".go")
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s exists", file)
	}
	src, err := format.Source([]byte(fmt.Sprintf(stub, pkg, name, id, name, id, layer)))
	if err != nil {
		return err
	}
	list := filepath.Join(root, "audit", "checks", "all", "all.go")
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	const mark = "\t\tmeta.Late(),\n"
	if strings.Count(string(text), mark) != 1 {
		return fmt.Errorf("%s has no place for the new check", list)
	}
	edited := strings.Replace(string(text), mark, "\t\t"+pkg+"."+name+"(),\n"+mark, 1)
	if err := errors.Join(os.WriteFile(file, src, 0o644), os.WriteFile(list, []byte(edited), 0o644)); err != nil {
		return err
	}
	fmt.Printf("%s\nNext: fill it in, then go test ./audit/checks/all && go run ./internal/newcheck -docs\n", file)
	return nil
}

const stub = `package %s

import (
	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
)

// %s is the check %s.
func %s() []audit.Check {
	return []audit.Check{{
		ID: %q, Layer: audit.%s, On: audit.Own, Severity: "warn",
		Title:  "What is set up unsafely, as a short sentence",
		Why:    "What an attacker or an accident makes of it.",
		Remedy: "What to write instead.",
		Refs:   []string{"CWE-1188"},
		Run:    kit.True("some.key", "some.key is true."),
		Fires:  kit.Cfg("some: {key: yes-not-yet}"),
		Quiet:  kit.Cfg("{}"),
	}}
}
`
