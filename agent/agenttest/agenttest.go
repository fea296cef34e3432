// Package agenttest is a model server for tests: it speaks the providers' wire
// protocols on loopback and answers as a script says.
package agenttest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Reply is one scripted answer of the model.
type Reply struct {
	Text    string
	Thought string // reasoning, where the protocol has it
	Calls   []Call
	// Hold delays the answer until it is closed or the client is gone; nil does
	// not.
	Hold <-chan struct{}
}

// Call is one tool call of a scripted answer.
type Call struct{ ID, Name, Args string }

// Server is the model server. Requests keeps the bodies that came in.
type Server struct {
	URL string

	mu       sync.Mutex
	script   []Reply
	Requests []string
}

// New starts a server that gives the replies in order and then says "done".
func New(t testing.TB, script ...Reply) *Server {
	t.Helper()
	s := &Server{script: script}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/messages", s.messages)
	mux.HandleFunc("POST /v1/chat/completions", s.completions)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// Request is the body of the n-th request.
func (s *Server) Request(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n >= len(s.Requests) {
		return ""
	}
	return s.Requests[n]
}

func (s *Server) next(r *http.Request) Reply {
	b, _ := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Requests = append(s.Requests, string(b))
	if len(s.script) == 0 {
		return Reply{Text: "done"}
	}
	out := s.script[0]
	s.script = s.script[1:]
	return out
}

// answer is next, after it was held.
func (s *Server) answer(r *http.Request) Reply {
	reply := s.next(r)
	if reply.Hold != nil {
		select {
		case <-reply.Hold:
		case <-r.Context().Done():
		}
	}
	return reply
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// messages answers in the Messages protocol's event stream.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	reply := s.answer(r)
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(name, data string) { _, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", name, data) }
	event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}`)
	i, stop := 0, "end_turn"
	if reply.Thought != "" {
		event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`)
		event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":`+quote(reply.Thought)+`}}`)
		event("content_block_stop", `{"type":"content_block_stop","index":0}`)
		i++
	}
	if reply.Text != "" {
		event("content_block_start", fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":{"type":"text","text":""}}`, i))
		event("content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%s}}`, i, quote(reply.Text)))
		event("content_block_stop", fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, i))
		i++
	}
	for _, c := range reply.Calls {
		stop = "tool_use"
		event("content_block_start", fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":{"type":"tool_use","id":%s,"name":%s,"input":{}}}`, i, quote(c.ID), quote(c.Name)))
		event("content_block_delta", fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":{"type":"input_json_delta","partial_json":%s}}`, i, quote(c.Args)))
		event("content_block_stop", fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, i))
		i++
	}
	event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"`+stop+`"},"usage":{"output_tokens":20}}`)
	event("message_stop", `{"type":"message_stop"}`)
}

// completions answers in the Chat Completions protocol's event stream.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) {
	reply := s.answer(r)
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(delta, finish string) {
		_, _ = fmt.Fprintf(w, "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":%s}]}\n\n", delta, finish)
	}
	chunk(`{"role":"assistant","content":`+quote(reply.Text)+`}`, "null")
	stop := `"stop"`
	for i, c := range reply.Calls {
		stop = `"tool_calls"`
		chunk(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}]}`, i, quote(c.ID), quote(c.Name), quote(c.Args)), "null")
	}
	chunk(`{}`, stop)
	_, _ = io.WriteString(w, "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":30}}\n\ndata: [DONE]\n\n")
}
