// Package doc reads configuration files as a tree whose leaves know where in
// the file they are: YAML, JSON, JSON5, TOML and .env. It is for looking at
// files, not for loading configuration: it keeps going where a loader stops.
package doc

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Kind is what a node is.
type Kind int

// A node is a map, a list, a string, or another scalar.
const (
	Map Kind = iota
	List
	String
	Scalar
)

// Node is a part of a document. Start and End are the byte offsets of a
// scalar's text, without its quotes.
type Node struct {
	Kind       Kind
	Key        string // in a map
	Path       string // dotted from the root, with [n] for list items
	Value      string // of a string, unescaped; of another scalar, as written
	Start, End int
	Children   []*Node
}

// Format names a syntax.
type Format string

// The formats that Parse reads.
const (
	YAML    Format = "yaml"
	JSON    Format = "json" // and JSON5
	TOML    Format = "toml"
	Env     Format = "env"
	Unknown Format = ""
)

// maxDepth bounds nesting.
const maxDepth = 128

// MaxBytes is the largest document that is parsed.
const MaxBytes = 4 << 20

// ErrSize is returned for documents that are larger than MaxBytes.
var ErrSize = errors.New("too large to take apart")

// ErrDepth is returned for documents nested too deeply.
var ErrDepth = errors.New("nested too deeply")

// FormatOf tells the format by the file's name.
func FormatOf(name string) Format {
	base := strings.ToLower(filepath.Base(name))
	switch filepath.Ext(base) {
	case ".yml", ".yaml":
		return YAML
	case ".json", ".json5", ".jsonc":
		return JSON
	case ".toml":
		return TOML
	case ".env", ".properties":
		return Env
	}
	if strings.HasPrefix(base, ".env") || base == "env" {
		return Env
	}
	return Unknown
}

// Parse reads a document. Its errors hold nothing of the document's text.
func Parse(f Format, data []byte) (*Node, error) {
	if len(data) > MaxBytes {
		return nil, ErrSize
	}
	switch f {
	case YAML:
		return parseYAML(data)
	case JSON:
		return parseJSON(data)
	case TOML:
		return parseTOML(data), nil
	case Env:
		return parseEnv(data), nil
	}
	return nil, fmt.Errorf("format %q is not read", string(f))
}

// Child returns the entry of a map, or nil.
func (n *Node) Child(key string) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Children {
		if n.Kind == Map && c.Key == key {
			return c
		}
	}
	return nil
}

// At follows keys from n, or returns nil.
func (n *Node) At(keys ...string) *Node {
	for _, k := range keys {
		n = n.Child(k)
	}
	return n
}

// Text is the value of a string node, or empty.
func (n *Node) Text() string {
	if n == nil || n.Kind != String {
		return ""
	}
	return n.Value
}

// Walk calls f for n and what is below it until f returns false for a node,
// whose children are then left out.
func (n *Node) Walk(f func(*Node) bool) {
	if n == nil || !f(n) {
		return
	}
	for _, c := range n.Children {
		c.Walk(f)
	}
}

// PathAt is the path of the scalar that an offset lies in, or empty.
func (n *Node) PathAt(offset int) (path string) {
	n.Walk(func(c *Node) bool {
		if (c.Kind == String || c.Kind == Scalar) && c.Start <= offset && offset <= c.End {
			path = c.Path
		}
		return path == ""
	})
	return path
}

func (n *Node) addKey(key string, c *Node) {
	c.Key = key
	c.Path = key
	if n.Path != "" {
		c.Path = n.Path + "." + key
	}
	n.Children = append(n.Children, c)
}

func (n *Node) addItem(c *Node) {
	c.Path = fmt.Sprintf("%s[%d]", n.Path, len(n.Children))
	n.Children = append(n.Children, c)
}

// ChildrenOf is the children of a node that may be nil.
func (n *Node) ChildrenOf() []*Node {
	if n == nil {
		return nil
	}
	return n.Children
}
