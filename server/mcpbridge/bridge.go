// Package mcpbridge carries the Model Context Protocol between a client on
// standard input and output and the /mcp route of a gateway. It passes
// messages on and understands only as much of them as the transport needs.
package mcpbridge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxMessage bounds one message in either direction.
const maxMessage = 64 << 20

// again is how long the bridge waits before it listens again.
const again = time.Second

// Bridge is one client's connection.
type Bridge struct {
	URL    string // of the /mcp route
	Header http.Header
	Client *http.Client

	out     *json.Encoder
	outMu   sync.Mutex
	mu      sync.Mutex
	session string
	version string
	flight  sync.WaitGroup
	hearing sync.WaitGroup
}

// Run reads messages from in, one a line, until it ends or ctx does, and writes
// answers to out. Requests run side by side; answers come as they finish.
func (b *Bridge) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	listening, deaf := context.WithCancel(ctx)
	defer b.hearing.Wait()
	defer deaf()
	b.out = json.NewEncoder(out)
	b.out.SetEscapeHTML(false)
	sc := bufio.NewScanner(in)
	sc.Buffer(make([]byte, 64<<10), maxMessage)
	for sc.Scan() {
		line := bytes.Clone(bytes.TrimSpace(sc.Bytes()))
		if len(line) == 0 {
			continue
		}
		m := parse(line)
		if m.Method == "initialize" || m.ID == nil {
			b.send(ctx, line, m) // what follows depends on it
			if m.Method == "notifications/initialized" {
				b.hearing.Go(func() { b.listen(listening) })
			}
			continue
		}
		b.flight.Go(func() { b.send(ctx, line, m) })
	}
	b.flight.Wait()
	b.end(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return sc.Err()
}

// message is what the bridge looks at.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result struct {
		ProtocolVersion string `json:"protocolVersion"`
	} `json:"result"`
}

func parse(b []byte) (m message) {
	_ = json.Unmarshal(b, &m) // the gateway answers what is no message
	return m
}

func (b *Bridge) send(ctx context.Context, line []byte, m message) {
	resp, err := b.post(ctx, line)
	if err == nil {
		err = b.answer(resp, m)
		err = errors.Join(err, resp.Body.Close())
	}
	if err != nil && m.ID != nil && ctx.Err() == nil {
		b.fail(m.ID, err)
	}
}

func (b *Bridge) post(ctx context.Context, line []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.URL, bytes.NewReader(line))
	if err != nil {
		return nil, err
	}
	b.headers(req)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	return b.Client.Do(req)
}

func (b *Bridge) headers(req *http.Request) {
	for k, vs := range b.Header {
		req.Header[k] = vs
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session != "" {
		req.Header.Set("Mcp-Session-Id", b.session)
	}
	if b.version != "" {
		req.Header.Set("Mcp-Protocol-Version", b.version)
	}
}

// answer passes the messages of a response on.
func (b *Bridge) answer(resp *http.Response, m message) error {
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		b.mu.Lock()
		b.session = id
		b.mu.Unlock()
	}
	switch {
	case resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusNoContent:
		return nil
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream"):
		return b.events(resp.Body, m)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !json.Valid(body) {
		return fmt.Errorf("the gateway answered %d", resp.StatusCode)
	}
	return b.write(body, m)
}

// events takes messages out of a server-sent event stream.
func (b *Bridge) events(r io.Reader, m message) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxMessage)
	var data []byte
	for sc.Scan() {
		line := sc.Bytes()
		if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(data, bytes.TrimPrefix(rest, []byte(" "))...)
			continue
		}
		if len(line) == 0 && len(data) > 0 {
			if err := b.write(data, m); err != nil {
				return err
			}
			data = data[:0]
		}
	}
	if len(data) > 0 {
		return errors.Join(b.write(data, m), sc.Err())
	}
	return sc.Err()
}

// listen passes on what the gateway says by itself, such as that the list of
// tools has changed. It comes back when the connection ends, and gives up when
// the session is over or the gateway has nothing to say.
func (b *Bridge) listen(ctx context.Context) {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.URL, nil)
		if err != nil {
			return
		}
		b.headers(req)
		req.Header.Set("Accept", "text/event-stream")
		resp, err := b.Client.Do(req)
		if err == nil {
			if resp.StatusCode == http.StatusOK {
				_ = b.events(resp.Body, message{})
			}
			_ = resp.Body.Close()
			if resp.StatusCode >= 400 && resp.StatusCode < 500 {
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func (b *Bridge) write(raw []byte, m message) error {
	if !json.Valid(raw) {
		return nil // a priming event or a comment, not a message
	}
	if m.Method == "initialize" {
		if v := parse(raw).Result.ProtocolVersion; v != "" {
			b.mu.Lock()
			b.version = v
			b.mu.Unlock()
		}
	}
	b.outMu.Lock()
	defer b.outMu.Unlock()
	return b.out.Encode(json.RawMessage(bytes.Clone(raw)))
}

// fail answers a request that the gateway could not be asked.
func (b *Bridge) fail(id json.RawMessage, err error) {
	b.outMu.Lock()
	defer b.outMu.Unlock()
	_ = b.out.Encode(map[string]any{
		"jsonrpc": "2.0", "id": id,
		"error": map[string]any{"code": -32000, "message": "chitin: " + err.Error()},
	})
}

// end closes the protocol session.
func (b *Bridge) end(ctx context.Context) {
	b.mu.Lock()
	session := b.session
	b.mu.Unlock()
	if session == "" {
		return
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodDelete, b.URL, nil)
	if err != nil {
		return
	}
	b.headers(req)
	if resp, err := b.Client.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}
