// Package secrets is layer 4: configuration holds references, never values.
// A resolved secret is a Value, which prints as redacted everywhere.
package secrets

import (
	"crypto/subtle"
	"log/slog"
)

// Redacted is what every formatter shows in place of a secret.
const Redacted = "**redacted**"

// Value is a resolved secret. No formatter, encoder or logger prints it;
// Reveal is the one way to its text.
type Value struct{ p *string }

// NewValue wraps a secret.
func NewValue(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{p: &s}
}

// Reveal returns the secret itself. Call it where the secret is used, never
// to store or print it.
func (v Value) Reveal() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}

// IsZero reports whether there is no secret.
func (v Value) IsZero() bool { return v.p == nil }

// Equal compares in constant time for equal lengths.
func (v Value) Equal(o Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(o.Reveal())) == 1
}

// String never shows the secret.
func (v Value) String() string { return Redacted }

// GoString never shows the secret.
func (v Value) GoString() string { return Redacted }

// MarshalText never shows the secret.
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue never shows the secret.
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }
