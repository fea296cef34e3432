package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// MaxArgs is the largest argument object that a tool reads, in bytes.
const MaxArgs = 96 << 20

// Decode reads the arguments of a call into T, a struct with json tags.
// Unlike encoding/json it takes only exact names, once each: what the policy
// looked at under one name must be what the tool uses.
func Decode[T any](raw json.RawMessage) (T, error) {
	var v T
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return v, nil
	}
	if len(raw) > MaxArgs {
		return v, Input("The arguments are too large.")
	}
	if raw[0] != '{' {
		return v, Input("Arguments must be a JSON object.")
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, explainDecode(err)
	}
	return v, checkNames(raw, namesOf(reflect.TypeFor[T]()))
}

func explainDecode(err error) error {
	var te *json.UnmarshalTypeError
	if !errors.As(err, &te) || te.Field == "" {
		return Input("The arguments are not valid JSON.")
	}
	return Input(fmt.Sprintf("Invalid parameter: %s must be %s, not %s.", te.Field, kindName(te.Type), te.Value))
}

func kindName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a number"
}

var argNames sync.Map // reflect.Type → []string

// namesOf is the list of a struct's json names.
func namesOf(t reflect.Type) []string {
	if v, ok := argNames.Load(t); ok {
		return v.([]string)
	}
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	argNames.Store(t, names)
	return names
}

// checkNames walks the top-level names of a valid JSON object.
func checkNames(raw []byte, names []string) error {
	var seen uint64
	return eachName(raw, func(key []byte) error {
		for i, n := range names {
			if string(key) == n {
				if seen&(1<<i) != 0 {
					return Input("Parameter " + n + " is given twice.")
				}
				seen |= 1 << i
				return nil
			}
		}
		for _, n := range names {
			if bytes.EqualFold(key, []byte(n)) {
				return Input(fmt.Sprintf("Unknown parameter %q: write it as %q.", key, n))
			}
		}
		return nil
	})
}

// eachName calls fn with every top-level name of raw, which must be a valid
// JSON object. It allocates only for names with escapes.
func eachName(raw []byte, fn func(name []byte) error) error {
	depth, wantName := 0, false
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			depth++
			wantName = depth == 1
		case '}', ']':
			depth--
		case ',':
			wantName = depth == 1
		case '"':
			end := stringEnd(raw, i)
			if wantName {
				wantName = false
				if err := fn(unquote(raw[i:end])); err != nil {
					return err
				}
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd is the index after the string that starts at i.
func stringEnd(raw []byte, i int) int {
	for j := i + 1; j < len(raw); j++ {
		switch raw[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return len(raw)
}

func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return bytes.Trim(quoted, `"`)
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return quoted
	}
	return []byte(s)
}
