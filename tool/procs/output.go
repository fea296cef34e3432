package procs

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Output collects what a command prints within a fixed amount of memory: the
// beginning and the end stay, what lies between is counted and dropped. It
// grows with the output; a silent command costs nothing.
type Output struct {
	mu    sync.Mutex
	limit int // bytes kept at either side
	head  []byte
	tail  []byte // at most 2*limit, of which the last limit bytes count
	total int64
	lines int64
	last  time.Time
	emit  func(stream string, b []byte)
	quota int64 // bytes that may still be emitted
	more  chan struct{}
	polls int64 // offset up to which Next has handed out
}

// DefaultKeep is how many bytes of the beginning and of the end are kept.
const DefaultKeep = 128 << 10

// maxEmit bounds what one call streams to its client.
const maxEmit = 64 << 20

// NewOutput keeps keep bytes at either side (0: DefaultKeep) and passes what
// arrives on to emit, which may be nil.
func NewOutput(keep int, emit func(stream string, b []byte)) *Output {
	if keep <= 0 {
		keep = DefaultKeep
	}
	return &Output{limit: keep, emit: emit, quota: maxEmit}
}

// Write never fails and never keeps b.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(b)
	o.total += int64(n)
	o.lines += int64(bytes.Count(b, []byte{'\n'}))
	o.last = time.Now()
	if o.emit != nil && o.quota > 0 {
		o.quota -= int64(n)
		o.emit("stdout", b)
	}
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	if room := o.limit - len(o.head); room > 0 {
		take := min(room, len(b))
		o.head = append(o.head, b[:take]...)
		b = b[take:]
	}
	o.keepTail(b)
	return n, nil
}

func (o *Output) keepTail(b []byte) {
	if len(b) > o.limit {
		b = b[len(b)-o.limit:]
		o.tail = o.tail[:0]
	}
	if len(o.tail)+len(b) > 2*o.limit {
		keep := o.limit - len(b)
		copy(o.tail, o.tail[len(o.tail)-keep:])
		o.tail = o.tail[:keep]
	}
	o.tail = append(o.tail, b...)
}

// Detach stops passing output on: the call it was for has been answered.
func (o *Output) Detach() {
	o.mu.Lock()
	o.emit = nil
	o.mu.Unlock()
}

// kept returns the two sides and how many bytes lie between them.
func (o *Output) kept() (head, tail []byte, omitted int64) {
	tail = o.tail[max(0, len(o.tail)-o.limit):]
	return o.head, tail, o.total - int64(len(o.head)) - int64(len(tail))
}

// Text is the output, with a note where something was dropped.
func (o *Output) Text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text()
}

func (o *Output) text() string {
	head, tail, omitted := o.kept()
	if omitted > 0 {
		return clean(head) + fmt.Sprintf("\n[... %d bytes omitted ...]\n", omitted) + clean(tail)
	}
	if len(tail) == 0 {
		return clean(head)
	}
	return clean(append(bytes.Clone(head), tail...))
}

func clean(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// Tail is the last n bytes that were kept.
func (o *Output) Tail(n int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return clean(o.since(max(0, o.total-int64(n))))
}

// since is what was kept from an offset on.
func (o *Output) since(off int64) []byte {
	head, tail, omitted := o.kept()
	if omitted > 0 || off >= int64(len(head)) {
		from := off - (o.total - int64(len(tail)))
		if off < int64(len(head)) {
			return append(bytes.Clone(head[off:]), tail...)
		}
		return tail[max(0, min(from, int64(len(tail)))):]
	}
	return append(bytes.Clone(head[off:]), tail...)
}

// Next is what arrived since the last Next.
func (o *Output) Next() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.since(o.polls)
	o.polls = o.total
	return clean(b)
}

// Stats are counts over the whole output, kept or not.
type Stats struct {
	Bytes, Lines int64
	Last         time.Time // of the last output, zero when there was none
	Truncated    bool
}

// Stats returns the counts.
func (o *Output) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _, omitted := o.kept()
	return Stats{Bytes: o.total, Lines: o.lines, Last: o.last, Truncated: omitted > 0}
}

// pending returns a channel that closes with the next output, or nil when
// something is waiting for Next already.
func (o *Output) pending() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.total > o.polls {
		return nil
	}
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.more
}
