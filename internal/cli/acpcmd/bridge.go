package acpcmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/server/acpapi"
)

// bridge carries lines from in to the gateway and messages back to out, until
// in ends, the gateway ends the connection or ctx does.
func bridge(ctx context.Context, ws *websocket.Conn, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ws.SetReadLimit(acpapi.MaxFrame)
	w := &lines{w: out}
	fromEditor := make(chan error, 1)
	go func() { fromEditor <- send(ctx, ws, in, w) }()
	fromGateway := make(chan error, 1)
	go func() { fromGateway <- receive(ctx, ws, w) }()
	select {
	case err := <-fromEditor:
		_ = ws.Close(websocket.StatusNormalClosure, "")
		cancel()
		<-fromGateway
		return err
	case err := <-fromGateway: // a reader of standard input cannot be stopped; the process ends
		_ = ws.CloseNow()
		return ended(ctx, err)
	}
}

// ended is why the gateway ended the connection, as an error of the command.
func ended(ctx context.Context, err error) error {
	var ce websocket.CloseError
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, errOther):
		return err
	case errors.As(err, &ce) && ce.Code == websocket.StatusMessageTooBig:
		return fmt.Errorf("a message was longer than %d bytes", acpapi.MaxFrame)
	case errors.As(err, &ce) && ce.Reason != "":
		return fmt.Errorf("the gateway ended the connection: %s", ce.Reason)
	}
	return errors.New("the gateway ended the connection")
}

// send passes the editor's lines on. A line that is too long is answered here
// and skipped.
func send(ctx context.Context, ws *websocket.Conn, in io.Reader, answer *lines) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		line, long, err := readLine(r, acpapi.MaxFrame)
		switch line = bytes.TrimSpace(line); {
		case long:
			_ = answer.write([]byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"chitin: the message is too long"}}`))
		case len(line) > 0:
			if err := ws.Write(ctx, websocket.MessageText, line); err != nil {
				return nil // the other direction says why
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads one line of at most limit bytes; of a longer one it keeps
// nothing.
func readLine(r *bufio.Reader, limit int) (line []byte, long bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > limit; long {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

var errOther = errors.New("the gateway sent something else than messages")

// receive writes the gateway's messages as lines.
func receive(ctx context.Context, ws *websocket.Conn, out *lines) error {
	for {
		typ, data, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if typ != websocket.MessageText || json.Compact(&b, data) != nil {
			return errOther
		}
		if err := out.write(b.Bytes()); err != nil {
			return err
		}
	}
}

// lines writes whole lines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) write(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.w.Write(append(b, '\n'))
	return err
}

// refuse answers the editor's first request with why there is no gateway, so
// that it can show it.
func refuse(in io.Reader, out io.Writer, why error) {
	line, _, _ := readLine(bufio.NewReader(in), 1<<20)
	var m struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(line, &m) != nil || len(m.ID) == 0 {
		return
	}
	b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": m.ID, "error": map[string]any{"code": -32000, "message": "chitin: " + why.Error()}})
	if err == nil {
		_ = (&lines{w: out}).write(b)
	}
}
