package audit

import (
	"math"
	"strconv"
	"strings"
)

// NodeKind is the shape of a configuration value.
type NodeKind uint8

// The shapes. A nil *Node has kind Absent.
const (
	Absent NodeKind = iota
	Null
	Bool
	Number
	String
	List
	Map
)

// Pos is a place in a configuration file; lines and columns count from 1.
type Pos struct {
	File      string
	Line, Col int
}

// Node is a value of a configuration with the place of its key. All methods
// work on nil, so that a check can ask for a key that is not there.
type Node struct {
	Kind NodeKind
	Str  string // text of a scalar as written, after ${VAR}
	Keys []string
	Kids []*Node // values of a map in the order of Keys, or items of a list
	Pos  Pos     // place of the key, or of the item
	// Start and End bound the value in a JSON5 file, in bytes; both 0 elsewhere.
	Start, End int
	// Subst is set when ${VAR} put a value in; Missing when the variable was
	// not set and the text is as it was.
	Subst, Missing bool
}

// Get walks map keys and gives nil when one is not there.
func (n *Node) Get(keys ...string) *Node {
	for _, k := range keys {
		n = n.child(k)
	}
	return n
}

// At walks a dotted path. Keys that hold dots need Get.
func (n *Node) At(path string) *Node {
	for path != "" && n != nil {
		key, rest, _ := strings.Cut(path, ".")
		n, path = n.child(key), rest
	}
	return n
}

func (n *Node) child(key string) *Node {
	if n == nil || n.Kind != Map {
		return nil
	}
	for i := len(n.Keys) - 1; i >= 0; i-- { // the last of two equal keys counts
		if n.Keys[i] == key {
			return n.Kids[i]
		}
	}
	return nil
}

// Is is the kind; Absent for nil.
func (n *Node) Is(k NodeKind) bool {
	if n == nil {
		return k == Absent
	}
	return n.Kind == k
}

// Set reports whether the key is there with a value other than null.
func (n *Node) Set() bool { return n != nil && n.Kind != Absent && n.Kind != Null }

// True and False report a boolean that is written down; an absent key is
// neither.
func (n *Node) True() bool { return n.Is(Bool) && n.Str == "true" }

// False reports a boolean false that is written down.
func (n *Node) False() bool { return n.Is(Bool) && n.Str == "false" }

// Unresolved reports text with a ${VAR} that is not set.
func (n *Node) Unresolved() bool { return n != nil && n.Missing }

// FromEnv reports text that came from ${VAR} and not from the file.
func (n *Node) FromEnv() bool { return n != nil && n.Subst }

// Text is a string's value, trimmed; empty for anything else.
func (n *Node) Text() string {
	if n.Is(String) {
		return strings.TrimSpace(n.Str)
	}
	return ""
}

// Or is Text, or def when that is empty.
func (n *Node) Or(def string) string {
	if t := n.Text(); t != "" {
		return t
	}
	return def
}

// Num is a number's value and whether the node is one.
func (n *Node) Num() (float64, bool) {
	if !n.Is(Number) {
		return 0, false
	}
	v, err := strconv.ParseFloat(n.Str, 64)
	if err != nil || math.IsNaN(v) {
		return 0, false
	}
	return v, true
}

// Len is the number of entries of a list or map.
func (n *Node) Len() int {
	if n.Is(List) || n.Is(Map) {
		return len(n.Kids)
	}
	return 0
}

// Items are the entries of a list.
func (n *Node) Items() []*Node {
	if n.Is(List) {
		return n.Kids
	}
	return nil
}

// Strings are the texts of a list's scalars, trimmed, blanks left out.
func (n *Node) Strings() []string {
	var out []string
	for _, it := range n.Items() {
		if it.Is(String) || it.Is(Number) {
			if t := strings.TrimSpace(it.Str); t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

// Each calls f for every entry of a map, in the order of the file.
func (n *Node) Each(f func(key string, v *Node)) {
	if !n.Is(Map) {
		return
	}
	for i, k := range n.Keys {
		f(k, n.Kids[i])
	}
}

// Walk calls f for every node below n with its dotted path; f says whether to
// go on below it.
func (n *Node) Walk(path string, f func(path string, v *Node) bool) {
	if n == nil || !f(path, n) {
		return
	}
	for i, kid := range n.Kids {
		switch {
		case n.Kind == List:
			kid.Walk(path+"["+strconv.Itoa(i)+"]", f)
		case path == "":
			kid.Walk(n.Keys[i], f)
		default:
			kid.Walk(path+"."+n.Keys[i], f)
		}
	}
}

// Locate finds the place of a dotted path, or of its nearest parent that is
// written down. Keys with dots and list indexes are understood.
func (n *Node) Locate(path string) (Pos, bool) {
	if n == nil {
		return Pos{}, false
	}
	best, ok := n.Pos, n.Pos.Line > 0
	path = strings.TrimPrefix(path, ".")
	if path == "" {
		return best, ok
	}
	if path[0] == '[' && n.Kind == List {
		end := strings.IndexByte(path, ']')
		if end < 0 {
			return best, ok
		}
		i, err := strconv.Atoi(path[1:end])
		if err == nil && i >= 0 && i < len(n.Kids) {
			if p, found := n.Kids[i].Locate(path[end+1:]); found {
				return p, true
			}
		}
		return best, ok
	}
	for i := len(n.Keys) - 1; i >= 0; i-- {
		k := n.Keys[i]
		rest, found := strings.CutPrefix(path, k)
		if found && k != "" && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			if p, found := n.Kids[i].Locate(rest); found {
				return p, true
			}
		}
	}
	return best, ok
}
