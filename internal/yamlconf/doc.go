// Package yamlconf reads YAML into Go structs strictly: every mistake has a
// line, a column, the path of its key and the nearest right one. The struct
// tags doc, enum and default are the one text of each key, from which schema,
// reference and starter file are made. It also edits a file in place, keeping
// every comment.
package yamlconf

import (
	"fmt"
	"reflect"
	"strings"
)

// MaxBytes is the largest file that Parse takes.
const MaxBytes = 1 << 20

// Issue is one mistake with its place.
type Issue struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Warning bool   `json:"warning,omitempty"`
}

// String is the issue on one line, as a compiler would print it.
func (i Issue) String() string {
	var b strings.Builder
	if i.File != "" {
		b.WriteString(i.File + ":")
	}
	if i.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", i.Line, i.Column)
	} else if i.File != "" {
		b.WriteByte(' ')
	}
	if i.Path != "" {
		b.WriteString(i.Path + ": ")
	}
	b.WriteString(i.Message)
	if i.Hint != "" {
		b.WriteString(" (" + i.Hint + ")")
	}
	return b.String()
}

// Key is one configuration key as its struct tags describe it.
type Key struct {
	Path    string       // dotted; <name> stands for a map's keys, [] for list items
	Type    reflect.Type // without pointers
	Doc     string
	Enum    []string
	Default string
}

// Keys lists every key below a struct type, in the order of its fields.
func Keys(t reflect.Type) []Key { return appendKeys(nil, "", t, 0) }

func appendKeys(out []Key, prefix string, t reflect.Type, depth int) []Key {
	if depth > 12 { // a type that holds itself
		return out
	}
	for _, f := range fields(t) {
		path := join(prefix, f.name)
		out = append(out, Key{Path: path, Type: deref(f.typ), Doc: f.doc, Enum: f.enum, Default: f.def})
		out = appendBelow(out, path, deref(f.typ), depth)
	}
	return out
}

func appendBelow(out []Key, path string, t reflect.Type, depth int) []Key {
	switch {
	case opaque(t):
		return out
	case t.Kind() == reflect.Struct:
		return appendKeys(out, path, t, depth+1)
	case t.Kind() == reflect.Map:
		return appendBelow(out, path+".<name>", deref(t.Elem()), depth+1)
	case t.Kind() == reflect.Slice && deref(t.Elem()).Kind() == reflect.Struct:
		return appendBelow(out, path+"[]", deref(t.Elem()), depth+1)
	}
	return out
}

type field struct {
	name, doc, def string
	enum           []string
	typ            reflect.Type
}

// Fields lists the keys of one struct, without what is below them; Path is the
// key's own name and Type is as declared.
func Fields(t reflect.Type) []Key {
	var out []Key
	for _, f := range fields(t) {
		out = append(out, Key{Path: f.name, Type: f.typ, Doc: f.doc, Enum: f.enum, Default: f.def})
	}
	return out
}

// Opaque reports whether a type reads itself from the file.
func Opaque(t reflect.Type) bool { return opaque(t) }

// fields lists a struct's keys; inlined structs give theirs.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if strings.Contains(opts, "inline") {
			out = append(out, fields(deref(f.Type))...)
			continue
		}
		if !f.IsExported() || name == "-" || name == "" {
			continue
		}
		var enum []string
		if e := f.Tag.Get("enum"); e != "" {
			enum = strings.Split(e, ",")
		}
		out = append(out, field{name: name, doc: f.Tag.Get("doc"), def: f.Tag.Get("default"), enum: enum, typ: f.Type})
	}
	return out
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
