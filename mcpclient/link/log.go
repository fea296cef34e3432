package link

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/external"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A server's own log may fill ours only so far.
const (
	maxLogLine = 2 << 10
	logBurst   = 40
	logEvery   = 250 * time.Millisecond // one more line each
)

// serverLog takes what a server logs, bounded in size and rate. The text is
// never ours: it is an attribute, escaped by the handler.
type serverLog struct {
	log    *slog.Logger
	server string

	mu      sync.Mutex
	spare   float64
	last    time.Time
	dropped int
}

//lint:ignore SA1019 servers of earlier protocol versions log this way
func (s *serverLog) message(p *mcp.LoggingMessageParams) {
	if p == nil {
		return
	}
	text, ok := p.Data.(string)
	if !ok {
		b, err := json.Marshal(p.Data)
		if err != nil {
			return
		}
		text = string(b)
	}
	level := slog.LevelDebug
	switch p.Level {
	case "warning":
		level = slog.LevelInfo
	case "error", "critical", "alert", "emergency":
		level = slog.LevelWarn
	}
	s.line(level, "message", text)
}

func (s *serverLog) line(level slog.Level, kind, text string) {
	s.mu.Lock()
	now := time.Now()
	if s.last.IsZero() {
		s.spare = logBurst
	} else {
		s.spare = min(logBurst, s.spare+float64(now.Sub(s.last))/float64(logEvery))
	}
	s.last = now
	if s.spare < 1 {
		s.dropped++
		s.mu.Unlock()
		return
	}
	s.spare--
	dropped := s.dropped
	s.dropped = 0
	s.mu.Unlock()
	attrs := []slog.Attr{slog.String("server", s.server), slog.String("kind", kind), slog.String("text", external.Plain(text, maxLogLine))}
	if dropped > 0 {
		attrs = append(attrs, slog.Int("dropped", dropped))
	}
	s.log.LogAttrs(context.Background(), level, "mcp server says", attrs...)
}

// lines is standard error of a server: it goes to the log line by line, and
// its end is kept for whoever asks why the server ended.
type lines struct {
	log  *serverLog
	mu   sync.Mutex
	part []byte
	tail []byte
}

// Write never fails and never blocks for long.
func (w *lines) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail = append(w.tail, b[max(0, len(b)-maxLogLine):]...)
	w.tail = w.tail[max(0, len(w.tail)-maxLogLine):]
	rest := b
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		w.flush(rest[:i])
		rest = rest[i+1:]
	}
	if room := maxLogLine - len(w.part); room > 0 {
		w.part = append(w.part, rest[:min(room, len(rest))]...)
	}
	return len(b), nil
}

func (w *lines) flush(b []byte) {
	line := append(w.part, b[:min(len(b), maxLogLine)]...)
	w.part = w.part[:0]
	if len(bytes.TrimSpace(line)) > 0 {
		w.log.line(slog.LevelInfo, "stderr", string(line))
	}
}

// Tail is the last of what was written, as one safe line.
func (w *lines) Tail() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return external.Inline(string(w.tail))
}
