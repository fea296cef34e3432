package redact

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// handler redacts log records before the handler below formats them.
type handler struct {
	r    *Redactor
	next slog.Handler
}

// Enabled asks the handler below.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle passes on a redacted copy of the record.
func (h *handler) Handle(ctx context.Context, rec slog.Record) error {
	out := slog.NewRecord(rec.Time, rec.Level, h.r.String(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.r.attr(a))
		return true
	})
	return h.next.Handle(ctx, out)
}

// WithAttrs redacts attributes that are given once for many records.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.r.attr(a)
	}
	return &handler{h.r, h.next.WithAttrs(clean)}
}

// WithGroup opens a group in the handler below.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.r, h.next.WithGroup(h.r.String(name))}
}

func (r *Redactor) attr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: r.String(a.Key), Value: r.value(a.Value.Resolve())}
}

func (r *Redactor) value(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(r.String(v.String()))
	case slog.KindGroup:
		group := v.Group()
		clean := make([]slog.Attr, len(group))
		for i, a := range group {
			clean[i] = r.attr(a)
		}
		return slog.GroupValue(clean...)
	case slog.KindAny:
		return slog.AnyValue(r.Any(v.Any()))
	}
	return v
}

// Any returns v unchanged when no way of printing it shows a secret, and its
// redacted text otherwise. What cannot be printed safely is left out.
func (r *Redactor) Any(v any) (out any) {
	defer func() {
		if p := recover(); p != nil {
			out = "**unprintable**"
		}
	}()
	switch v := v.(type) {
	case nil, bool, int, int64, uint64, float64, time.Time, time.Duration:
		return v
	case string:
		return r.String(v)
	case []byte:
		return r.String(string(v))
	case error:
		return r.Error(v)
	case fmt.Stringer, encoding.TextMarshaler, json.Marshaler:
	}
	text := fmt.Sprintf("%+v", v)
	if clean := r.String(text); clean != text {
		return clean
	}
	if js, err := json.Marshal(v); err == nil {
		if clean, changed := r.bytes(js); changed {
			return string(clean)
		}
	}
	return v
}
