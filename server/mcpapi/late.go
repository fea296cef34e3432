package mcpapi

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// late writes one answer: at once as JSON, or as the last event of a stream
// when it took so long that the stream had to begin without it.
type late struct {
	w     http.ResponseWriter
	timer *time.Timer

	mu        sync.Mutex
	streaming bool
	done      bool
}

func newLate(w http.ResponseWriter) *late {
	l := &late{w: w}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(streamAfter, l.beat)
	return l
}

// beat begins the stream, or shows that it is alive.
func (l *late) beat() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return
	}
	if !l.streaming {
		l.streaming = true
		h := l.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache, no-transform")
		l.w.WriteHeader(http.StatusOK)
	}
	_, err := l.w.Write([]byte(": working\n\n"))
	if err == nil && http.NewResponseController(l.w).Flush() == nil {
		l.timer.Reset(beat)
	}
}

func (l *late) finish(body []byte) {
	l.timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
	if !l.streaming {
		writeMessage(l.w, body)
		return
	}
	_, _ = l.w.Write([]byte("event: message\ndata: "))
	_, _ = l.w.Write(body)
	_, _ = l.w.Write([]byte("\n\n"))
}

var typeJSON = []string{"application/json"}

func writeMessage(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body)
}

// greeting looks at the answer to initialize for the new session's id, before
// the client can see it and go on.
type greeting struct {
	http.ResponseWriter
	met  func(id string)
	once sync.Once
}

func (g *greeting) look() {
	g.once.Do(func() {
		if id := g.Header().Get(headSession); id != "" {
			g.met(id)
		}
	})
}

// WriteHeader sends the head.
func (g *greeting) WriteHeader(code int) {
	g.look()
	g.ResponseWriter.WriteHeader(code)
}

// Write sends a part of the body.
func (g *greeting) Write(b []byte) (int, error) {
	g.look()
	return g.ResponseWriter.Write(b)
}

// Flush sends what was written so far.
func (g *greeting) Flush() {
	g.look()
	_ = http.NewResponseController(g.ResponseWriter).Flush()
}

// Unwrap is the writer below.
func (g *greeting) Unwrap() http.ResponseWriter { return g.ResponseWriter }
