package tool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/jsonschema-go/jsonschema"
)

// schema is a JSON Schema that is compiled when it is first needed.
type schema struct {
	compiled func() (*jsonschema.Resolved, error)
}

func newSchema(raw json.RawMessage) schema {
	return schema{compiled: sync.OnceValues(func() (*jsonschema.Resolved, error) {
		var s jsonschema.Schema
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("tool schema: %w", err)
		}
		return s.Resolve(nil)
	})}
}

// SchemaChecker checks arguments against a schema that is not in a registry,
// such as that of a mounted tool, compiled when it is first needed. A schema of
// a kind that cannot be compiled here leaves the check to whoever runs the tool,
// except that arguments are an object.
func SchemaChecker(raw json.RawMessage) func(args json.RawMessage) error {
	s, any := newSchema(raw), newSchema(json.RawMessage(`{"type":"object"}`))
	return func(args json.RawMessage) error {
		if _, err := s.compiled(); err != nil {
			return any.validate(args)
		}
		return s.validate(args)
	}
}

// validate checks raw; the error names the parameter at fault.
func (s schema) validate(raw json.RawMessage) error {
	r, err := s.compiled()
	if err != nil {
		return Failed("The tool's schema is broken.", err)
	}
	if len(raw) > MaxArgs {
		return Input("The arguments are too large.")
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return Input("The arguments are not valid JSON.")
	}
	args, ok := v.(map[string]any)
	if !ok {
		return Input("Arguments must be a JSON object.")
	}
	root := r.Schema()
	if err := checkNames(raw, slices.Sorted(maps.Keys(root.Properties))); err != nil {
		return err
	}
	if err := r.Validate(args); err != nil {
		return explain(root, args, err)
	}
	return nil
}

// explain says what is wrong in words; the library's text is the last resort.
func explain(s *jsonschema.Schema, args map[string]any, cause error) error {
	var missing []string
	for _, name := range s.Required {
		if _, ok := args[name]; !ok {
			missing = append(missing, name)
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		return Missing(missing[0])
	default:
		return Input("Missing required parameters: " + strings.Join(missing, ", ") + ". Supply correct parameters before retrying.")
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		p := s.Properties[name]
		if p == nil {
			continue
		}
		if msg := explainValue(p, args[name]); msg != "" {
			return Input("Invalid parameter: " + name + " " + msg + ".")
		}
	}
	text := cause.Error()
	if i := strings.LastIndex(text, "validating "); i >= 0 {
		text = text[i:]
	}
	return InputCode("", "Invalid parameters: "+text, cause)
}

// explainValue says why v does not fit p, or "" when it cannot tell.
func explainValue(p *jsonschema.Schema, v any) string {
	if p.Type != "" && !hasType(p.Type, v) {
		return "must be of type " + p.Type
	}
	if len(p.Enum) > 0 && !slices.Contains(p.Enum, v) {
		var words []string
		for _, e := range p.Enum {
			words = append(words, fmt.Sprint(e))
		}
		return "must be one of: " + strings.Join(words, ", ")
	}
	n, isNum := v.(float64)
	s, isText := v.(string)
	switch {
	case isNum && p.Minimum != nil && n < *p.Minimum:
		return fmt.Sprintf("must be at least %v", *p.Minimum)
	case isNum && p.Maximum != nil && n > *p.Maximum:
		return fmt.Sprintf("must be at most %v", *p.Maximum)
	case isText && p.MaxLength != nil && len([]rune(s)) > *p.MaxLength:
		return fmt.Sprintf("must be at most %d characters long", *p.MaxLength)
	case isText && p.MinLength != nil && len([]rune(s)) < *p.MinLength:
		return fmt.Sprintf("must be at least %d characters long", *p.MinLength)
	}
	return ""
}

func hasType(want string, v any) bool {
	switch x := v.(type) {
	case string:
		return want == "string"
	case bool:
		return want == "boolean"
	case float64:
		return want == "number" || want == "integer" && x == float64(int64(x))
	case []any:
		return want == "array"
	case map[string]any:
		return want == "object"
	}
	return want == "null"
}
