package mcpapi

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Limits of what is kept for clients that lost their connection.
const (
	maxEventBytes = 16 << 20 // of all sessions
	maxStreams    = 4096     // of all sessions
)

// events keeps what was sent on streams, so that a client that lost its
// connection can come back for the rest. The oldest stream goes first.
type events struct {
	mu      sync.Mutex
	streams map[streamKey]*stream
	order   []streamKey // by age
	bytes   int
}

type streamKey struct{ session, stream string }

type stream struct {
	data [][]byte
	size int
}

func newEvents() *events { return &events{streams: map[streamKey]*stream{}} }

var _ mcp.EventStore = (*events)(nil)

// Open makes room for a stream.
func (e *events) Open(_ context.Context, session, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open(streamKey{session, id})
	return nil
}

func (e *events) open(k streamKey) *stream {
	if s := e.streams[k]; s != nil {
		return s
	}
	for len(e.order) > 0 && (len(e.streams) >= maxStreams || e.bytes > maxEventBytes) {
		e.drop(e.order[0])
		e.order = e.order[1:]
	}
	s := &stream{}
	e.streams[k] = s
	e.order = append(e.order, k)
	return s
}

func (e *events) drop(k streamKey) {
	if s := e.streams[k]; s != nil {
		e.bytes -= s.size
		delete(e.streams, k)
	}
}

// Append keeps one event. A stream that was dropped begins no second time.
func (e *events) Append(_ context.Context, session, id string, data []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.streams[streamKey{session, id}]
	if s == nil {
		return nil
	}
	s.data = append(s.data, data)
	s.size += len(data)
	e.bytes += len(data)
	return nil
}

// After gives what was sent after an event.
func (e *events) After(_ context.Context, session, id string, index int) iter.Seq2[[]byte, error] {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.streams[streamKey{session, id}]
	if s == nil || index < -1 {
		return func(yield func([]byte, error) bool) {
			yield(nil, fmt.Errorf("stream %q is not kept any more: %w", id, mcp.ErrEventsPurged))
		}
	}
	rest := slices.Clone(s.data[min(index+1, len(s.data)):])
	return func(yield func([]byte, error) bool) {
		for _, d := range rest {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// SessionClosed forgets a session's streams.
func (e *events) SessionClosed(_ context.Context, session string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.order = slices.DeleteFunc(e.order, func(k streamKey) bool {
		if k.session != session {
			return false
		}
		e.drop(k)
		return true
	})
	return nil
}
