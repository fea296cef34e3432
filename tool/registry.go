package tool

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ArgChecker is a tool that checks its arguments itself, with better words
// than its schema has. Its answer replaces the schema's.
type ArgChecker interface {
	CheckArgs(args json.RawMessage) error
}

// Registry is the fixed set of tools of a gateway. It is safe for concurrent
// use: nothing in it changes after NewRegistry.
type Registry struct {
	tools map[string]*entry
	alias map[string]string
	names []string
}

type entry struct {
	tool   Tool
	schema schema
}

// NewRegistry lists the tools by name. Two tools with one name, an alias that
// is a name, or a tool without a name, text or schema are errors.
func NewRegistry(tools ...Tool) (*Registry, error) {
	r := &Registry{tools: make(map[string]*entry, len(tools)), alias: map[string]string{}}
	var errs []error
	for _, t := range tools {
		s := t.Spec()
		if s.Name == "" || s.Description == "" || len(s.Schema) == 0 {
			errs = append(errs, fmt.Errorf("tool %q: name, description and schema are required", s.Name))
			continue
		}
		if _, ok := r.tools[s.Name]; ok {
			errs = append(errs, fmt.Errorf("tool %q is listed twice", s.Name))
		}
		r.tools[s.Name] = &entry{tool: t, schema: newSchema(s.Schema)}
	}
	for name, e := range r.tools {
		for _, a := range e.tool.Spec().Aliases {
			if _, ok := r.tools[a]; ok || r.alias[a] != "" {
				errs = append(errs, fmt.Errorf("tool %q: alias %q is taken", name, a))
			}
			r.alias[a] = name
		}
	}
	r.names = slices.Sorted(maps.Keys(r.tools))
	return r, errors.Join(errs...)
}

// Canonical is the one name of a tool, whichever alias was used. Policy must
// decide on this name, never on what the client sent.
func (r *Registry) Canonical(name string) (string, bool) {
	if _, ok := r.tools[name]; ok {
		return name, true
	}
	c, ok := r.alias[name]
	return c, ok
}

// Get finds a tool by its one name.
func (r *Registry) Get(name string) (Tool, bool) {
	e, ok := r.tools[name]
	if !ok {
		return nil, false
	}
	return e.tool, true
}

// Names is every tool's name, sorted. The slice must not be changed.
func (r *Registry) Names() []string { return r.names }

// Validate checks arguments against the tool's schema, which is compiled on
// its first use. The error is fit for the caller.
func (r *Registry) Validate(name string, args json.RawMessage) error {
	e, ok := r.tools[name]
	if !ok {
		return &Error{Kind: KindNotFound, Public: "Tool not available: " + name}
	}
	if c, ok := e.tool.(ArgChecker); ok {
		return c.CheckArgs(args)
	}
	return e.schema.validate(args)
}
