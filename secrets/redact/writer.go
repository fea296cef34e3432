package redact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/chitin-sh/chitin/secrets"
)

// maxHeld is the most that a Writer keeps back while a secret might be in the
// middle of arriving.
const maxHeld = 256 << 10

// rescanFrom is how much held text is worth saving passes over.
const rescanFrom = 1 << 10

// maxBefore is how much of the line so far is kept to judge what follows.
const maxBefore = 160

// Writer redacts a stream. What might be the beginning of a secret is held
// back until the bytes that decide arrive, or Flush or Close.
type Writer struct {
	r   *Redactor
	w   io.Writer
	mu  sync.Mutex
	buf []byte
	// before is the end of what went out, unredacted: what comes next is
	// judged with the name of the field that stands there.
	before []byte
	// next is the length at which a large rest is looked at again: a stream
	// of single bytes must not cost a pass over everything held for each.
	next int
}

// Writer returns a writer that redacts what is written and passes it on.
func (r *Redactor) Writer(w io.Writer) *Writer { return &Writer{r: r, w: w} }

// Write takes all of p, or fails with the error of the writer below.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	if len(w.buf) < w.next {
		return len(p), nil
	}
	if err := w.emit(len(w.buf) > maxHeld); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes out what was held back: nothing more of it will come.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.emit(true)
}

// Close flushes. The writer below stays open.
func (w *Writer) Close() error { return w.Flush() }

// emit passes on what is settled, all of it when final.
func (w *Writer) emit(final bool) error {
	if len(w.buf) == 0 {
		return nil
	}
	n := len(w.before)
	text := append(append(make([]byte, 0, n+len(w.buf)), w.before...), w.buf...)
	spans, settled := w.r.table.Load().find(text, final)
	if final {
		settled = len(text)
	}
	if w.next = 0; len(text)-settled >= rescanFrom {
		w.next = (len(text) - settled) * 17 / 16
	}
	if settled <= n {
		return nil
	}
	out := make([]byte, 0, settled-n)
	at := n
	for _, s := range spans {
		if s.end <= n || s.end > settled {
			continue
		}
		out = append(out, text[at:max(at, s.start)]...)
		out = append(out, secrets.Redacted...)
		at = s.end
	}
	out = append(out, text[at:settled]...)
	w.buf = append(w.buf[:0], text[settled:]...)
	w.remember(text[:settled], final)
	written, err := w.w.Write(out)
	if err != nil {
		return fmt.Errorf("write redacted: %w", err)
	}
	if written < len(out) {
		return errors.New("write redacted: short write")
	}
	return nil
}

// remember keeps the end of the last line that went out.
func (w *Writer) remember(sent []byte, final bool) {
	w.before = w.before[:0]
	if final {
		return
	}
	from := max(0, len(sent)-maxBefore, bytes.LastIndexByte(sent, '\n'))
	w.before = append(w.before, sent[from:]...)
}
