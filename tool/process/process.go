// Package process is the tool that looks after background commands of the
// session: list, poll, log, write, send-keys, submit, paste, kill, clear and
// remove.
package process

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/exec"
	"github.com/chitin-sh/chitin/tool/procs"
)

// Tool is process.
type Tool struct{ table *procs.Table }

var (
	_ tool.Tool       = (*Tool)(nil)
	_ tool.ArgChecker = (*Tool)(nil)
)

// New makes the tool over the table that exec fills.
func New(t *procs.Table) *Tool { return &Tool{table: t} }

// Spec describes process.
func (t *Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "process",
		Title:       "Background processes",
		Description: "Follow and steer commands that exec left running: list, poll, log, write, send-keys, submit, paste, kill, clear, remove.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Writes: true}, // it needs no box of its own
	}
}

const schema = `{"type":"object","required":["action"],"properties":{
"action":{"type":"string","enum":["list","poll","log","write","send-keys","submit","paste","kill","clear","remove"]},
"sessionId":{"type":"string","description":"Process to act on; list shows them."},
"data":{"type":"string","description":"Text for write."},
"keys":{"type":"array","items":{"type":"string"},"description":"Key names for send-keys, such as Enter, C-c, Up."},
"hex":{"type":"array","items":{"type":"string"},"description":"Bytes for send-keys, in hex."},
"literal":{"type":"string","description":"Text for send-keys, sent as it is."},
"text":{"type":"string","description":"Text for paste."},
"bracketed":{"type":"boolean","description":"Paste with bracketed-paste marks. Default true."},
"eof":{"type":"boolean","description":"Close the input after write."},
"offset":{"type":"number","description":"First line of log, from 0."},
"limit":{"type":"number","description":"Lines of log."},
"timeout":{"type":"number","minimum":0,"description":"Milliseconds that poll waits for output, at most 30000."}}}`

type args struct {
	Action    string   `json:"action"`
	SessionID string   `json:"sessionId"`
	Data      string   `json:"data"`
	Keys      []string `json:"keys"`
	Hex       []string `json:"hex"`
	Literal   string   `json:"literal"`
	Text      string   `json:"text"`
	Bracketed *bool    `json:"bracketed"`
	EOF       bool     `json:"eof"`
	Offset    *float64 `json:"offset"`
	Limit     *float64 `json:"limit"`
	Timeout   float64  `json:"timeout"`
}

const maxPoll = 30 * time.Second

// CheckArgs checks types only: an unknown action or process is answered with a
// result, so that a model can go on.
func (t *Tool) CheckArgs(raw json.RawMessage) error {
	a, err := tool.Decode[args](raw)
	if err == nil && a.Action == "" {
		err = tool.Missing("action")
	}
	return err
}

// failure is the details of a soft failure.
type failure struct {
	Status string `json:"status"`
	Error  string `json:"error"`
}

func soft(text string) tool.Result {
	return tool.Text(text, failure{Status: "failed", Error: text})
}

// Run answers one action.
func (t *Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	if err := t.CheckArgs(c.Args); err != nil {
		return tool.Result{}, err
	}
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	key := exec.KeyOf(c)
	switch a.Action {
	case "list":
		return list(t.table.List(key)), nil
	case "poll", "log", "write", "send-keys", "submit", "paste", "kill", "clear", "remove":
	default:
		return soft("Invalid process action. Expected one of: list, poll, log, write, send-keys, submit, paste, kill, clear, remove"), nil
	}
	if a.SessionID == "" {
		return soft("sessionId is required for this action."), nil
	}
	p, ok := t.table.Get(key, a.SessionID)
	if !ok {
		return soft("No session found for " + a.SessionID), nil
	}
	return t.act(ctx, key, p, a), nil
}

func (t *Tool) act(ctx context.Context, key procs.Key, p *procs.Process, a args) tool.Result {
	switch a.Action {
	case "poll":
		return poll(ctx, p, a)
	case "log":
		return logOf(p, a)
	case "kill":
		if !p.Running() {
			return soft(fmt.Sprintf("Session %s has already ended.", p.ID))
		}
		p.Kill()
		return done(p, "Termination requested for session "+p.ID+".")
	case "clear":
		if p.Running() {
			return soft(fmt.Sprintf("Session %s is still running. Use kill or remove.", p.ID))
		}
		t.table.Remove(key, p)
		return done(p, "Cleared session "+p.ID+".")
	case "remove":
		text := "Removed session " + p.ID + "."
		if p.Running() {
			text = "Removed session " + p.ID + " (termination requested)."
		}
		t.table.Remove(key, p)
		return done(p, text)
	}
	return input(ctx, p, a)
}

// named is the details of an action that is over.
type named struct {
	Status string `json:"status"`
	Name   string `json:"name"`
}

func done(p *procs.Process, text string) tool.Result {
	return tool.Text(text, named{Status: "completed", Name: p.Name})
}

// input sends text or keys to the process.
func input(ctx context.Context, p *procs.Process, a args) tool.Result {
	data, err := encode(a)
	if err != nil {
		return soft(err.Error())
	}
	if len(data) == 0 && !a.EOF {
		return soft("Nothing to send: give data, keys, hex, literal or text.")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if !p.Writable() {
		return soft(fmt.Sprintf("Session %s stdin is not writable. Start the command with pty=true to send input.", p.ID))
	}
	if err := p.Write(ctx, data, a.EOF); err != nil {
		return soft(fmt.Sprintf("Session %s did not take the input.", p.ID))
	}
	text := fmt.Sprintf("Wrote %d bytes to session %s", len(data), p.ID)
	switch {
	case a.Action == "submit":
		text = "Submitted session " + p.ID + " (sent CR)"
	case a.Action == "paste":
		text = fmt.Sprintf("Pasted %d chars to session %s", len([]rune(a.Text)), p.ID)
	case a.Action == "send-keys":
		text = fmt.Sprintf("Sent %d bytes to session %s", len(data), p.ID)
	case a.EOF:
		text += " (stdin closed)"
	}
	return tool.Text(text+".", sent{Status: "running", SessionID: p.ID, Name: p.Name})
}

type sent struct {
	Status    string `json:"status"`
	SessionID string `json:"sessionId"`
	Name      string `json:"name"`
}

// encode is what an action writes to the process.
func encode(a args) ([]byte, error) {
	switch a.Action {
	case "write":
		return []byte(a.Data), nil
	case "submit":
		return []byte(a.Data + "\r"), nil
	case "paste":
		if a.Bracketed == nil || *a.Bracketed {
			// An end mark inside the text would let the rest be typed, so no
			// escape character gets in, as in real terminals.
			text := strings.ReplaceAll(a.Text, "\x1b", "")
			return []byte(pasteStart + text + pasteEnd), nil
		}
		return []byte(a.Text), nil
	}
	return encodeKeys(a)
}

const (
	pasteStart = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)
