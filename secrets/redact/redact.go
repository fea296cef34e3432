// Package redact removes secrets from text on its way out: logs, tool
// results, the journal, errors, metrics and pages. One automaton pass finds
// every resolved value in its raw and encoded forms, and what looks like a
// credential of a known format.
package redact

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"unsafe"

	"github.com/chitin-sh/chitin/secrets"
)

// Options says what is looked for besides the values that Set names.
type Options struct {
	// ValuesOnly leaves detected formats alone: logging.redactSensitive off.
	// Resolved values are redacted all the same.
	ValuesOnly bool
}

// Redactor replaces secrets by secrets.Redacted. It is safe for concurrent
// use. Nothing is built before the first text arrives.
type Redactor struct {
	opts  Options
	table atomic.Pointer[table]
}

// New makes a redactor that knows no values yet.
func New(o Options) *Redactor {
	r := &Redactor{opts: o}
	r.table.Store(newTable(nil, o))
	return r
}

// Set replaces the values to look for, atomically: text that is being
// redacted meets the old list or the new one.
func (r *Redactor) Set(values []secrets.Value) { r.table.Store(newTable(values, r.opts)) }

// Bytes returns b with every secret replaced; b itself when there is none.
func (r *Redactor) Bytes(b []byte) []byte {
	out, _ := r.bytes(b)
	return out
}

func (r *Redactor) bytes(b []byte) ([]byte, bool) {
	if r == nil || len(b) < minValue {
		return b, false
	}
	return r.table.Load().bytes(b)
}

func (t *table) bytes(b []byte) ([]byte, bool) {
	s := unsafe.String(unsafe.SliceData(b), len(b)) // not kept
	if t.clean.has(s) {
		return b, false
	}
	spans, _ := t.find(b, true)
	if len(spans) == 0 {
		t.clean.add(s)
		return b, false
	}
	return replace(make([]byte, 0, len(b)), b, spans), true
}

// String returns s with every secret replaced; s itself when there is none.
func (r *Redactor) String(s string) string {
	if s == "" {
		return s
	}
	out, changed := r.bytes(unsafe.Slice(unsafe.StringData(s), len(s)))
	if !changed {
		return s
	}
	return string(out)
}

// Error returns err with secrets replaced in its text. The chain behind an
// error that had one is cut off: it would still print the secret.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if clean := r.String(text); clean != text {
		return redactedError(clean)
	}
	return err
}

type redactedError string

// Error is the redacted text.
func (e redactedError) Error() string { return string(e) }

// Panic is the text of a recovered panic, without secrets.
func (r *Redactor) Panic(v any) string { return r.String(fmt.Sprint(v)) }

// Handler wraps a log handler so that no secret reaches it.
func (r *Redactor) Handler(h slog.Handler) slog.Handler { return &handler{r, h} }

// span is a part of a text that is a secret.
type span struct{ start, end int }

// replace appends b to dst with the spans, which are sorted and disjoint,
// replaced.
func replace(dst, b []byte, spans []span) []byte {
	at := 0
	for _, s := range spans {
		dst = append(dst, b[at:s.start]...)
		dst = append(dst, secrets.Redacted...)
		at = s.end
	}
	return append(dst, b[at:]...)
}
