package attack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chitin-sh/chitin/"

// source is one parsed file of the product, without tests and test helpers.
type source struct {
	dir  string // below the module
	file *ast.File
	set  *token.FileSet
}

// productSources parses every file that can end up in the binary.
func productSources(t *testing.T) []source {
	t.Helper()
	var out []source
	set := token.NewFileSet()
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if name == "testdata" || name == ".git" || name == "attack" || strings.HasSuffix(name, "test") && p != ".." {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(set, p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		out = append(out, source{strings.TrimPrefix(filepath.ToSlash(filepath.Dir(p)), "../"), f, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 100 {
		t.Fatalf("only %d files found", len(out))
	}
	return out
}

// local is the name by which a file knows a package, "" when it does not.
func (s *source) local(pkg string) string {
	for _, im := range s.file.Imports {
		if p, _ := strconv.Unquote(im.Path.Value); p == module+pkg {
			if im.Name != nil {
				return im.Name.Name
			}
			return pkg[strings.LastIndexByte(pkg, '/')+1:]
		}
	}
	return ""
}

// uses finds where a file speaks of pkg.name in a way that keep accepts, given
// the nodes above it.
func (s *source) uses(pkg, name string, keep func(above []ast.Node) bool) []string {
	local := s.local(pkg)
	if local == "" {
		return nil
	}
	var found []string
	var above []ast.Node
	ast.Inspect(s.file, func(n ast.Node) bool {
		if n == nil {
			above = above[:len(above)-1]
			return true
		}
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == name {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && keep(above) {
				found = append(found, s.set.Position(n.Pos()).String())
			}
		}
		above = append(above, n)
		return true
	})
	return found
}

// makesValue reports whether the type just found is used to make a value
// rather than to point at one that exists.
func makesValue(above []ast.Node) bool {
	_, pointer := above[len(above)-1].(*ast.StarExpr)
	return !pointer
}

func anyUse([]ast.Node) bool { return true }

// C25, D2 and D3: one gate. A tool runs only with a tool.Call, a call is made
// only in the corridor, and it holds a Grant, which comes only from Decide or
// from an approval.
func TestToolsRunOnlyThroughTheCorridor(t *testing.T) {
	for _, r := range []struct {
		pkg, name string
		keep      func([]ast.Node) bool
		only      []string
		why       string
	}{
		{"tool", "Call", makesValue, []string{"invoke"}, "makes a tool call outside the corridor"},
		{"toolpolicy", "Approved", anyUse, []string{"toolpolicy/approval"}, "turns an approval into a grant"},
		{"toolpolicy/internal/mint", "Prove", anyUse, []string{"toolpolicy/approval"}, "makes a proof of approval"},
		{"toolpolicy/internal/mutate", "Guards", anyUse, []string{"toolpolicy", "toolpolicy/shell", "toolpolicy/approval"}, "can switch guards off"},
		{"toolpolicy/policytest", "Without", anyUse, nil, "switches guards off in the product"},
	} {
		used := false
		for _, s := range productSources(t) {
			for _, at := range s.uses(r.pkg, r.name, r.keep) {
				used = used || slices.Contains(r.only, s.dir)
				if !slices.Contains(r.only, s.dir) {
					t.Errorf("%s %s", at, r.why)
				}
			}
		}
		if !used && len(r.only) > 0 {
			t.Errorf("nothing uses %s.%s: the test looks in the wrong place", r.pkg, r.name)
		}
	}
}

// Every surface package reaches tools through the corridor alone: none imports
// a tool's own package or the sandbox's backends.
func TestSurfacesImportNoTool(t *testing.T) {
	surfaces := 0
	for _, s := range productSources(t) {
		if !strings.HasPrefix(s.dir, "server/") && s.dir != "agent" && !strings.HasPrefix(s.dir, "agent/") {
			continue
		}
		surfaces++
		for _, im := range s.file.Imports {
			p, _ := strconv.Unquote(im.Path.Value)
			rel, ours := strings.CutPrefix(p, module)
			if ours && (strings.HasPrefix(rel, "tool/") || strings.HasPrefix(rel, "sandbox/") && rel != "sandbox") {
				t.Errorf("%s imports %s beside the corridor", s.set.Position(im.Pos()), rel)
			}
		}
	}
	if surfaces < 5 {
		t.Errorf("only %d files of surfaces found", surfaces)
	}
}
