package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chitin-sh/chitin/"

type source struct {
	path  string // slash-separated, from the root
	fset  *token.FileSet
	file  *ast.File
	lines int
}

// sources parses every Go file of the repository once.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n := d.Name(); d.IsDir() && (n == "testdata" || n == "node_modules" || (strings.HasPrefix(n, ".") && n != "..")) && path != "../.." {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, b, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("../..", path)
		out = append(out, source{filepath.ToSlash(rel), fset, f, bytes.Count(b, []byte("\n"))})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("found %d Go files; is the walk right?", len(out))
	}
	return out
}

func (s source) folder() string {
	if i := strings.LastIndexByte(s.path, '/'); i >= 0 {
		return s.path[:i]
	}
	return ""
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) imports() []string {
	var out []string
	for _, im := range s.file.Imports {
		if p, err := strconv.Unquote(im.Path.Value); err == nil && strings.HasPrefix(p, module) {
			out = append(out, strings.TrimPrefix(p, module))
		}
	}
	return out
}

func below(path, folder string) bool {
	return folder == "" || path == folder || strings.HasPrefix(path, folder+"/")
}

func room(folder string) string {
	top, _, _ := strings.Cut(folder, "/")
	return top
}

func TestRoomsDoNotCallEachOther(t *testing.T) {
	for _, s := range sources(t) {
		from := room(s.folder())
		allowed, ruled := tickets[from]
		if !ruled || s.isTest() || strings.HasSuffix(s.folder(), "test") { // support of tests may bring what it likes
			continue
		}
		for _, im := range s.imports() {
			to := room(im)
			if to == from || !slices.Contains(rooms, to) {
				continue
			}
			if !slices.Contains(allowed, to) || im != to {
				t.Errorf("%s imports %s: a room takes only tickets (%v) from the roots of others", s.path, im, allowed)
			}
		}
	}
}

func TestBannedImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, im := range s.imports() {
			for _, b := range bans {
				exempt := slices.ContainsFunc(append(b.except, b.target), func(f string) bool { return below(s.folder(), f) })
				if below(s.folder(), b.folder) && below(im, b.target) && !exempt && !s.isTest() {
					t.Errorf("%s imports %s: %s", s.path, im, b.why)
				}
			}
		}
	}
}

func TestBackendsImportTheirRootNeverTheReverse(t *testing.T) {
	for _, s := range sources(t) {
		if s.isTest() || !slices.Contains(rooms, s.folder()) {
			continue
		}
		for _, im := range s.imports() {
			if rest, ok := strings.CutPrefix(im, s.folder()+"/"); ok && !strings.HasPrefix(rest, "internal/") && !slices.Contains(rootMay[s.folder()], rest) {
				t.Errorf("%s imports its own backend %s", s.path, im)
			}
		}
	}
}

// rootMay lists sub-folders that are vocabulary, not backends: the root of
// their room may use them.
var rootMay = map[string][]string{
	"external":   {"boundary", "detect", "fold"},
	"toolpolicy": {"shell"},
}

func TestEveryPackageIsDocumented(t *testing.T) {
	doc := map[string]bool{}
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		doc[s.folder()] = doc[s.folder()] || s.file.Doc.Text() != ""
	}
	for folder, ok := range doc {
		if !ok {
			t.Errorf("package %s has no package comment", folder)
		}
	}
}

func TestSizes(t *testing.T) {
	used := map[string]bool{}
	check := func(name string, lines, limit int) {
		if allowed, ok := oversized[name]; ok {
			used[name] = true
			if lines > allowed {
				t.Errorf("%s has %d lines; its allowance is %d and may only shrink", name, lines, allowed)
			}
			if lines <= limit {
				t.Errorf("%s is within the limit now: take it off the allow list", name)
			}
			return
		}
		if lines > limit {
			t.Errorf("%s has %d lines; the limit is %d", name, lines, limit)
		}
	}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_gen.go") || ast.IsGenerated(s.file) {
			continue
		}
		check(s.path, s.lines, maxFileLines)
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && !s.isTest() {
				n := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1
				check(s.path+":"+fn.Name.Name, n, maxFuncLines)
			}
		}
	}
	for name := range oversized {
		if !used[name] {
			t.Errorf("%s is on the allow list and does not exist", name)
		}
	}
}

func TestNoInitRegistration(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !s.isTest() {
				t.Errorf("%s has an init function: list things in a plain package instead", s.path)
			}
		}
	}
}

func TestModuleHasNoReplace(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("\nreplace ")) {
		t.Error("go.mod has a replace directive: what is built must be what others get")
	}
}

func TestTicketsAreMadeInOnePlace(t *testing.T) {
	makers := map[string][]string{
		"gateway.Caller":   {"gateway"},
		"toolpolicy.Grant": {"toolpolicy"},
		"sandbox.Place":    {"sandbox"},
		"external.Sealed":  {"external"},
	}
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || len(lit.Elts) == 0 {
				return true
			}
			if sel, ok := lit.Type.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok {
					if where, ticket := makers[pkg.Name+"."+sel.Sel.Name]; ticket && !slices.Contains(where, s.folder()) {
						t.Errorf("%s makes a %s.%s", s.path, pkg.Name, sel.Sel.Name)
					}
				}
			}
			return true
		})
	}
}
