package config

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/chitin-sh/chitin/internal/yamlconf"
	"github.com/chitin-sh/chitin/secrets"
)

// SchemaID names the schema of this version of chitin.yml.
const SchemaID = "https://chitin.sh/schema/chitin.yml.json"

// Keys lists every key of chitin.yml with its text.
func Keys() []yamlconf.Key { return yamlconf.Keys(reflect.TypeFor[Config]()) }

type node map[string]any

// Schema is the JSON Schema (2020-12) of chitin.yml.
func Schema() ([]byte, error) {
	root := object(reflect.TypeFor[Config]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = SchemaID
	root["title"] = "chitin.yml"
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

func object(t reflect.Type) node {
	props := node{}
	for _, f := range yamlconf.Fields(t) {
		n := typeOf(f.Type)
		if f.Doc != "" {
			n["description"] = f.Doc
		}
		if len(f.Enum) > 0 {
			n["enum"] = f.Enum
		}
		if f.Default != "" {
			n["default"] = typed(f.Type, f.Default)
		}
		props[f.Path] = n
	}
	return node{"type": "object", "properties": props, "additionalProperties": false}
}

func typeOf(t reflect.Type) node {
	switch {
	case t == reflect.TypeFor[secrets.Field]():
		return secretField()
	case yamlconf.Opaque(t):
		return node{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeOf(t.Elem())
	case reflect.Struct:
		return object(t)
	case reflect.Map:
		return node{"type": "object", "additionalProperties": typeOf(t.Elem())}
	case reflect.Slice:
		return node{"type": "array", "items": typeOf(t.Elem())}
	case reflect.Bool:
		return node{"type": "boolean"}
	case reflect.String:
		return node{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return node{"type": "number"}
	case reflect.Interface:
		return node{}
	}
	return node{"type": "integer"}
}

func secretField() node {
	ref := node{
		"type": "object", "additionalProperties": false, "required": []string{"source", "id"},
		"properties": node{"source": node{"type": "string"}, "provider": node{"type": "string"}, "id": node{"type": "string"}},
	}
	return node{"oneOf": []node{ref, {"type": "string", "description": "${VARIABLE}; a value in plain text works and is a finding of the audits"}}}
}

// typed gives a default its JSON type.
func typed(t reflect.Type, v string) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.String {
		var out any
		if json.Unmarshal([]byte(v), &out) == nil {
			return out
		}
	}
	return v
}

// Reference is docs/config.md: every key with its text.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Configuration\n\n")
	b.WriteString("Every key of `chitin.yml`, made from the same text as the schema (`chitin config schema`). ")
	b.WriteString("An absent key has its default; an unknown one is an error. `<name>` stands for a name of yours. ")
	b.WriteString("Keys that hold a secret take a reference: `{source, provider, id}` or `${VARIABLE}`.\n\n")
	b.WriteString("| key | meaning | values | default |\n| --- | --- | --- | --- |\n")
	for _, k := range Keys() {
		b.WriteString("| `" + k.Path + "` | " + strings.ReplaceAll(k.Doc, "|", "\\|") + " | " + values(k) + " | " + code(k.Default) + " |\n")
	}
	return b.String()
}

func values(k yamlconf.Key) string {
	if len(k.Enum) > 0 {
		return "`" + strings.Join(k.Enum, "` `") + "`"
	}
	if k.Type == reflect.TypeFor[secrets.Field]() {
		return "secret"
	}
	switch k.Type.Kind() {
	case reflect.Struct, reflect.Map:
		return "keys"
	case reflect.Slice:
		return "list"
	case reflect.Bool:
		return "`true` `false`"
	case reflect.String:
		return "text"
	}
	return "number"
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
