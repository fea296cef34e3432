package mcpclient

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/external"
)

// Bounds of what a server may say of one tool.
const (
	MaxDescription = 8 << 10
	MaxSchema      = 64 << 10
	maxDepth       = 64
)

// Definition is what a server says of one tool. All of it is untrusted.
type Definition struct {
	Name        string          `json:"name"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Input       json.RawMessage `json:"inputSchema,omitempty"`
	Output      json.RawMessage `json:"outputSchema,omitempty"`
	Annotations json.RawMessage `json:"annotations,omitempty"`
}

// Canonical is the definition as its digest is taken: names sorted, no blanks.
func (d Definition) Canonical() ([]byte, error) {
	for _, raw := range []*json.RawMessage{&d.Input, &d.Output, &d.Annotations} {
		if len(*raw) == 0 {
			continue
		}
		dec := json.NewDecoder(strings.NewReader(string(*raw)))
		dec.UseNumber() // every digit counts
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("tool %q: %w", clip(d.Name, 64), err)
		}
		out, err := json.Marshal(v) // sorts names
		if err != nil {
			return nil, err
		}
		*raw = out
	}
	for _, text := range []*string{&d.Name, &d.Title, &d.Description} {
		*text = strings.ToValidUTF8(*text, "\uFFFD") // as it will be read back
	}
	return json.Marshal(d)
}

// Digest pins the definition: SHA-256 of its canonical form, in hex.
func (d Definition) Digest() (string, error) {
	b, err := d.Canonical()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Check refuses what no honest tool has.
func (d Definition) Check() error {
	switch {
	case len(d.Description) > MaxDescription || len(d.Title) > MaxDescription:
		return fmt.Errorf("its description is longer than %d bytes", MaxDescription)
	case len(d.Input) > MaxSchema || len(d.Output) > MaxSchema:
		return fmt.Errorf("its schema is larger than %d bytes", MaxSchema)
	case len(d.Annotations) > MaxDescription:
		return errors.New("its annotations are too large")
	}
	var in map[string]any
	if err := json.Unmarshal(d.Input, &in); err != nil || in == nil {
		return errors.New("its input schema is not an object")
	}
	if t, ok := in["type"]; ok && t != "object" {
		return errors.New("its input schema does not describe an object")
	}
	if deep(in, maxDepth) {
		return fmt.Errorf("its schema is nested deeper than %d", maxDepth)
	}
	return nil
}

func deep(v any, left int) bool {
	if left == 0 {
		return true
	}
	switch x := v.(type) {
	case map[string]any:
		for _, e := range x {
			if deep(e, left-1) {
				return true
			}
		}
	case []any:
		for _, e := range x {
			if deep(e, left-1) {
				return true
			}
		}
	}
	return false
}

// ReadOnly reports whether the server claims that the tool changes nothing.
func (d Definition) ReadOnly() bool {
	var a struct {
		ReadOnly bool `json:"readOnlyHint"`
	}
	return json.Unmarshal(d.Annotations, &a) == nil && a.ReadOnly
}

// Texts are the words of the definition that a model would read.
func (d Definition) Texts() string {
	var b strings.Builder
	b.WriteString(d.Title + "\n" + d.Description + "\n")
	for _, raw := range []json.RawMessage{d.Input, d.Output, d.Annotations} {
		var v any
		if json.Unmarshal(raw, &v) == nil {
			words(&b, v)
		}
	}
	return b.String()
}

func words(b *strings.Builder, v any) {
	switch x := v.(type) {
	case string:
		b.WriteString(x + "\n")
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			b.WriteString(k + "\n")
			words(b, x[k])
		}
	case []any:
		for _, e := range x {
			words(b, e)
		}
	}
}

// Suspicious names what in the definition looks like an attack on whoever
// reads it; empty when nothing does.
func (d Definition) Suspicious() []string {
	var out []string
	text := strings.ReplaceAll(d.Texts(), "\r", "")
	for _, f := range external.Wrap(text, external.Meta{Source: "mcp"}, external.WithoutNotice()).Report().Families {
		out = append(out, string(f))
	}
	if clean := external.Plain(text, len(text)); clean != text {
		out = append(out, "hidden-characters")
	}
	return out
}

// Shown is the definition as a model may see it: hidden characters and forged
// markers gone from every text, sizes bounded.
func (d Definition) Shown(server string) (description string, schema json.RawMessage) {
	description = "[MCP server " + server + "] " + external.Plain(d.Description, 4<<10)
	var v any
	if json.Unmarshal(d.Input, &v) != nil {
		return description, json.RawMessage(`{"type":"object"}`)
	}
	if m, ok := v.(map[string]any); ok && m["type"] == nil {
		m["type"] = "object"
	}
	out, err := json.Marshal(plain(v))
	if err != nil {
		return description, json.RawMessage(`{"type":"object"}`)
	}
	return description, out
}

func plain(v any) any {
	switch x := v.(type) {
	case string:
		return external.Plain(x, 4<<10)
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[external.Plain(k, 256)] = plain(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = plain(e)
		}
		return out
	}
	return v
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
