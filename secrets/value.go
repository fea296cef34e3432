// Package secrets is layer 4: configuration holds references, never values.
// A resolved secret is a Value, which prints as redacted everywhere.
package secrets

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
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

// Equal compares in a time that depends on neither the common prefix nor
// whether the lengths differ. Two absent values are not equal: nothing
// authenticates as nothing.
func (v Value) Equal(o Value) bool {
	a, b := sha256.Sum256([]byte(v.Reveal())), sha256.Sum256([]byte(o.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && v.p != nil && o.p != nil
}

// String never shows the secret.
func (v Value) String() string { return Redacted }

// GoString never shows the secret.
func (v Value) GoString() string { return Redacted }

// Format never shows the secret, whatever the verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// MarshalText never shows the secret; JSON and YAML encoders use it.
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// GobEncode never shows the secret.
func (v Value) GobEncode() ([]byte, error) { return []byte(Redacted), nil }

// LogValue never shows the secret.
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }
