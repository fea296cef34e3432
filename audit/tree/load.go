package tree

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

// Bounds of includes.
const (
	maxIncludes     = 64
	maxIncludeDepth = 10
)

// Loaded is a configuration with everything it pulls in.
type Loaded struct {
	Root *audit.Node
	Raw  []byte
	// Includes are the files that were pulled in, in order.
	Includes []string
	// Issues are mistakes that the subject's program would refuse.
	Issues []audit.Issue
}

// Load reads a configuration: YAML by its ending, else JSON5 with $include.
// ${VAR} is replaced from getenv. The error is about the main file; trouble in
// an include is an issue, and the rest is still read.
func Load(d *audit.Disk, path string, getenv func(string) string) (*Loaded, error) {
	text, err := d.ReadFollow(path)
	if err != nil {
		return nil, err
	}
	l := &loader{disk: d, dir: filepath.Dir(path), out: &Loaded{Raw: text}}
	root, err := parse(path, text)
	if err != nil {
		return l.out, err
	}
	l.out.Root = l.include(root, path, []string{filepath.Clean(path)})
	if getenv != nil {
		budget := 1 << 20
		substitute(l.out.Root, "", getenv, &budget, l.out)
	}
	return l.out, nil
}

// Parse reads a text in memory, without includes.
func Parse(file string, text []byte, getenv func(string) string) (*audit.Node, error) {
	root, err := parse(file, text)
	if err == nil && getenv != nil {
		budget := 1 << 20
		substitute(root, "", getenv, &budget, &Loaded{})
	}
	return root, err
}

func parse(path string, text []byte) (*audit.Node, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yml", ".yaml":
		return YAML(path, text)
	}
	return JSON5(path, text)
}

type loader struct {
	disk  *audit.Disk
	dir   string // includes stay below it
	out   *Loaded
	count int
}

// include replaces $include keys below n. chain holds the files being read,
// outermost first.
func (l *loader) include(n *audit.Node, file string, chain []string) *audit.Node {
	if n == nil || n.Kind != audit.Map && n.Kind != audit.List {
		return n
	}
	for i, kid := range n.Kids {
		if n.Kind == audit.Map && n.Keys[i] == "$include" {
			continue
		}
		n.Kids[i] = l.include(kid, file, chain)
	}
	inc := n.Get("$include")
	if !inc.Set() {
		return n
	}
	var names []string
	if t := inc.Text(); t != "" {
		names = []string{t}
	} else {
		names = inc.Strings()
	}
	var merged *audit.Node
	for _, name := range names {
		if got := l.file(name, file, chain); got != nil {
			merged = merge(merged, got)
		}
	}
	own := &audit.Node{Kind: audit.Map, Pos: n.Pos}
	for i, k := range n.Keys {
		if k != "$include" {
			own.Keys, own.Kids = append(own.Keys, k), append(own.Kids, n.Kids[i])
		}
	}
	if merged == nil || len(own.Keys) > 0 {
		merged = merge(merged, own)
	}
	return merged
}

func (l *loader) file(name, from string, chain []string) *audit.Node {
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(from), path)
	}
	path = filepath.Clean(path)
	issue := func(msg string) *audit.Node {
		l.out.Issues = append(l.out.Issues, audit.Issue{Path: "$include", Message: audit.Show(name) + ": " + msg})
		l.disk.Skip(path, "include: "+msg)
		return nil
	}
	for _, c := range chain {
		if c == path {
			return issue("includes itself")
		}
	}
	if len(chain) > maxIncludeDepth {
		return issue(fmt.Sprintf("nested deeper than %d", maxIncludeDepth))
	}
	if l.count++; l.count > maxIncludes {
		return issue(fmt.Sprintf("more than %d includes", maxIncludes))
	}
	rel, err := filepath.Rel(l.dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return issue("outside the directory of the configuration; not followed")
	}
	text, err := l.disk.Beneath(l.dir, rel)
	if err != nil {
		return issue("cannot be read")
	}
	l.out.Includes = append(l.out.Includes, path)
	root, err := parse(path, text)
	if err != nil {
		return issue(audit.Show(err.Error()))
	}
	return l.include(root, path, append(chain[:len(chain):len(chain)], path))
}

// merge puts b over a: maps join, lists are appended, anything else is
// replaced.
func merge(a, b *audit.Node) *audit.Node {
	switch {
	case a == nil:
		return b
	case a.Kind == audit.List && b.Kind == audit.List:
		out := *a
		out.Kids = append(append([]*audit.Node{}, a.Kids...), b.Kids...)
		return &out
	case a.Kind != audit.Map || b.Kind != audit.Map:
		return b
	}
	out := &audit.Node{Kind: audit.Map, Pos: b.Pos, Keys: append([]string{}, a.Keys...), Kids: append([]*audit.Node{}, a.Kids...)}
	index := make(map[string]int, len(out.Keys))
	for j, k := range out.Keys {
		index[k] = j
	}
	for i, k := range b.Keys {
		if at, ok := index[k]; ok {
			out.Kids[at] = merge(out.Kids[at], b.Kids[i])
			continue
		}
		index[k] = len(out.Keys)
		out.Keys, out.Kids = append(out.Keys, k), append(out.Kids, b.Kids[i])
	}
	return out
}

// substitute replaces ${VAR} in every string. A variable that is not set
// leaves the text and marks the node. budget bounds the text that is made.
func substitute(n *audit.Node, path string, getenv func(string) string, budget *int, out *Loaded) {
	if n == nil {
		return
	}
	for i, kid := range n.Kids {
		sub := path
		if n.Kind == audit.Map {
			sub = strings.TrimPrefix(path+"."+n.Keys[i], ".")
		}
		substitute(kid, sub, getenv, budget, out)
	}
	if n.Kind != audit.String || !strings.Contains(n.Str, "${") {
		return
	}
	text, missing := expand(n.Str, getenv, budget)
	n.Subst, n.Missing = text != n.Str && missing == "", missing != ""
	n.Str = text
	if missing != "" {
		out.Issues = append(out.Issues, audit.Issue{Path: path, Message: "the environment variable " + missing + " is not set"})
	}
}

func expand(text string, getenv func(string) string, budget *int) (string, string) {
	buf := make([]byte, 0, len(text))
	missing := ""
	for {
		i := strings.Index(text, "${")
		end := -1
		if i >= 0 {
			end = strings.IndexByte(text[i:], '}')
		}
		if end < 0 {
			return string(append(buf, text...)), missing
		}
		name, whole := text[i+2:i+end], text[i:i+end+1]
		buf = append(buf, text[:i]...)
		text = text[i+end+1:]
		if n := len(buf); n > 0 && buf[n-1] == '$' { // $${VAR} is a literal
			buf = append(buf[:n-1], whole...)
			continue
		}
		if !varName(name) {
			buf = append(buf, whole...)
			continue
		}
		v := getenv(name)
		if *budget -= len(v); v == "" || *budget < 0 {
			missing, v = name, whole
		}
		buf = append(buf, v...)
	}
}

func varName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c == '_' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return s != ""
}
