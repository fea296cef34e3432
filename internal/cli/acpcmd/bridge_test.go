package acpcmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/server/acpapi"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestReadLine(t *testing.T) {
	r := bufio.NewReaderSize(strings.NewReader("one\n"+strings.Repeat("x", 100)+"\ntwo"), 16)
	for _, want := range []struct {
		line string
		long bool
		err  error
	}{{"one\n", false, nil}, {"", true, nil}, {"two", false, io.EOF}} {
		line, long, err := readLine(r, 50)
		if string(line) != want.line || long != want.long || !errors.Is(err, want.err) {
			t.Errorf("%q %v %v; want %+v", line, long, err, want)
		}
	}
}

// across runs the bridge between in and a gateway that does what serve says.
func across(t *testing.T, in io.Reader, out io.Writer, serve func(context.Context, *websocket.Conn)) error {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		ws.SetReadLimit(acpapi.MaxFrame)
		serve(r.Context(), ws)
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = bridge(ctx, ws, in, out)
	http.DefaultClient.CloseIdleConnections()
	return err
}

// patient is an editor that leaves after it got lines.
type patient struct {
	bytes.Buffer
	lines int
	leave func() error
}

func (p *patient) Write(b []byte) (int, error) {
	n, err := p.Buffer.Write(b)
	if strings.Count(p.String(), "\n") == p.lines {
		err = p.leave()
	}
	return n, err
}

func echo(ctx context.Context, ws *websocket.Conn) {
	for {
		typ, b, err := ws.Read(ctx)
		if err != nil || ws.Write(ctx, typ, b) != nil {
			return
		}
	}
}

func TestBridge(t *testing.T) {
	in, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, "{\"a\":1}\n\n  \n"+strings.Repeat("x", acpapi.MaxFrame+1)+"\n{\"b\":2}\n")
	}()
	editor := &patient{lines: 3, leave: w.Close}
	if err := across(t, in, editor, echo); err != nil {
		t.Error(err)
	}
	out := editor.String()
	for _, want := range []string{"{\"a\":1}\n", "{\"b\":2}\n", "the message is too long"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("the editor got %.300q; want one %q", out, want)
		}
	}
	if strings.Count(out, "\n") != 3 {
		t.Errorf("the editor got %.300q", out)
	}
}

func TestBridgeSaysWhyItEnded(t *testing.T) {
	for want, serve := range map[string]func(context.Context, *websocket.Conn){
		"credential revoked": func(_ context.Context, ws *websocket.Conn) {
			_ = ws.Close(websocket.StatusPolicyViolation, "credential revoked")
		},
		"the gateway ended the connection": func(_ context.Context, ws *websocket.Conn) { _ = ws.CloseNow() },
		"longer than": func(_ context.Context, ws *websocket.Conn) {
			_ = ws.Close(websocket.StatusMessageTooBig, "")
		},
		"something else than messages": func(ctx context.Context, ws *websocket.Conn) {
			_ = ws.Write(ctx, websocket.MessageText, []byte("not json"))
			_, _, _ = ws.Read(ctx)
		},
	} {
		in, w := io.Pipe()
		var out bytes.Buffer
		err := across(t, in, &out, serve)
		_ = w.Close()
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%v, %q; want %s", err, out.String(), want)
		}
	}
}

func TestRefuse(t *testing.T) {
	for in, want := range map[string]string{
		"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"initialize\"}\n": `{"error":{"code":-32000,"message":"chitin: no gateway"},"id":"a","jsonrpc":"2.0"}` + "\n",
		"{\"method\":\"x\"}\n": "",
		"nonsense\n":           "",
		"":                     "",
	} {
		var out bytes.Buffer
		refuse(strings.NewReader(in), &out, errors.New("no gateway"))
		if out.String() != want {
			t.Errorf("%q: %q", in, out.String())
		}
	}
}
