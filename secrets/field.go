package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// MaxValueBytes is the longest secret that a field or a provider may hold.
const MaxValueBytes = 64 << 10

// Field is a secret-bearing configuration field: a reference, or (accepted,
// and reported by the audits) a literal value. It unmarshals from a string,
// a "${VAR}" string or a {source, provider, id} mapping and always marshals
// without its literal.
type Field struct {
	Ref     *Ref
	Literal Value
}

// ParseField reads the text form: "${VAR}" and "$VAR" are references, "$${"
// begins a literal "${", and everything else is a literal.
func ParseField(s string) (Field, error) {
	trimmed := strings.TrimSpace(s)
	if ref, ok := Shorthand(trimmed); ok {
		return Field{Ref: &ref}, nil
	}
	if len(s) > MaxValueBytes {
		return Field{}, fmt.Errorf("secret is longer than %d bytes", MaxValueBytes)
	}
	if rest, ok := strings.CutPrefix(trimmed, "$${"); ok {
		return Field{Literal: NewValue("${" + rest)}, nil
	}
	if strings.HasPrefix(trimmed, "${") && strings.HasSuffix(trimmed, "}") {
		return Field{}, errors.New("write ${NAME} with upper-case letters, digits and _, or $${ for a literal ${")
	}
	return Field{Literal: NewValue(trimmed)}, nil
}

// RefField is a field that holds a reference.
func RefField(r Ref) Field { return Field{Ref: &r} }

// LiteralField is a field that holds its value in plain text.
func LiteralField(s string) Field { return Field{Literal: NewValue(s)} }

// IsZero reports whether the field is absent or blank. It also makes
// omitempty and omitzero work.
func (f Field) IsZero() bool { return f.Ref == nil && f.Literal.IsZero() }

// IsLiteral reports whether the field holds its value in plain text.
func (f Field) IsLiteral() bool { return f.Ref == nil && !f.Literal.IsZero() }

// String names the reference and never shows a literal.
func (f Field) String() string {
	switch {
	case f.Ref != nil:
		return f.Ref.String()
	case f.Literal.IsZero():
		return ""
	}
	return Redacted
}

// GoString never shows a literal.
func (f Field) GoString() string { return f.String() }

// Format never shows a literal, whatever the verb.
func (f Field) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.String()) }

// LogValue never shows a literal.
func (f Field) LogValue() slog.Value { return slog.StringValue(f.String()) }

// UnmarshalYAML reads a string or a {source, provider, id} mapping.
func (f *Field) UnmarshalYAML(decode func(any) error) error {
	var raw any
	if err := decode(&raw); err != nil {
		return errors.New("not a string or a {source, provider, id} mapping")
	}
	switch v := raw.(type) {
	case nil:
		*f = Field{}
		return nil
	case map[string]any:
		return f.fromMap(v)
	case []any, bool:
		return errors.New("expected a string or a {source, provider, id} mapping")
	}
	// A number keeps the digits that were written: decode it as text.
	var s string
	if err := decode(&s); err != nil {
		return errors.New("not a string: put the value in quotes")
	}
	return f.fromText(s)
}

// UnmarshalJSON reads a string or a {source, provider, id} object.
func (f *Field) UnmarshalJSON(data []byte) error {
	if len(data) > 2*MaxValueBytes {
		return fmt.Errorf("secret is longer than %d bytes", MaxValueBytes)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return errors.New("not valid JSON")
	}
	switch v := v.(type) {
	case nil:
		*f = Field{}
		return nil
	case string:
		return f.fromText(v)
	case map[string]any:
		return f.fromMap(v)
	}
	return errors.New("expected a string or a {source, provider, id} object")
}

func (f *Field) fromText(s string) error {
	got, err := ParseField(s)
	if err == nil {
		*f = got
	}
	return err
}

func (f *Field) fromMap(m map[string]any) error {
	var r Ref
	for k, v := range m {
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("reference key %s: expected a string", safeKey(k))
		}
		switch k {
		case "source":
			r.Source = s
		case "provider":
			r.Provider = s
		case "id":
			r.ID = s
		default:
			return fmt.Errorf("reference has an unknown key %s: use source, provider and id", safeKey(k))
		}
	}
	if err := r.Validate(); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	*f = Field{Ref: &r}
	return nil
}

// safeKey quotes a key for an error, shortened: a pasted secret may have
// landed on the left of the colon.
func safeKey(k string) string {
	if len(k) > 24 {
		k = k[:4] + "…"
	}
	return fmt.Sprintf("%q", k)
}

// wire is what a field looks like when it is written out.
func (f Field) wire() any {
	switch {
	case f.IsZero():
		return nil
	case f.Ref == nil:
		return Redacted
	case f.Ref.Source == SourceEnv && (f.Ref.Provider == "" || f.Ref.Provider == DefaultProvider):
		return "${" + f.Ref.ID + "}"
	}
	return *f.Ref
}

// MarshalYAML writes the reference, or the redaction mark for a literal.
func (f Field) MarshalYAML() (any, error) { return f.wire(), nil }

// MarshalJSON writes the reference, or the redaction mark for a literal.
func (f Field) MarshalJSON() ([]byte, error) { return json.Marshal(f.wire()) }

// GobEncode never shows a literal.
func (f Field) GobEncode() ([]byte, error) { return f.MarshalJSON() }
