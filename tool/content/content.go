// Package content is the tools that look at text from outside: whether it
// tries to give orders, and the same text behind a border.
package content

import (
	"context"
	"encoding/json"

	"github.com/chitin-sh/chitin/tool"
)

// MaxText is the largest text that the tools take, in bytes.
const MaxText = 1 << 20

// Deps is what looks and wraps.
type Deps struct {
	Scan func(text string) any
	Wrap func(text, source, from, subject string) string
}

// Tools lists the tools.
func Tools(d Deps) []tool.Tool { return []tool.Tool{scan{d}, wrap{d}} }

type scan struct{ d Deps }

// Spec describes content_scan.
func (scan) Spec() tool.Spec {
	return tool.Spec{
		Name: "content_scan", Title: "Scan text from outside",
		Description: "Tell whether a text tries to give orders to a model: score, families and where.",
		Schema:      json.RawMessage(`{"type":"object","required":["text"],"properties":{"text":{"type":"string"}}}`),
	}
}

type scanArgs struct {
	Text string `json:"text"`
}

// Run scans.
func (t scan) Run(_ context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[scanArgs](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	if len(a.Text) > MaxText {
		return tool.Result{}, tool.Input("text is longer than 1 MiB.")
	}
	return tool.JSON(t.d.Scan(a.Text))
}

type wrap struct{ d Deps }

// Spec describes content_wrap.
func (wrap) Spec() tool.Spec {
	return tool.Spec{
		Name: "content_wrap", Title: "Wrap text from outside",
		Description: "Put a text from outside behind markers that it cannot forge, so that it is read as data.",
		Schema: json.RawMessage(`{"type":"object","required":["text","source"],"properties":{
"text":{"type":"string"},
"source":{"type":"string","minLength":1,"maxLength":64,"description":"Where it comes from, such as email, webhook or api."},
"from":{"type":"string","maxLength":300},
"subject":{"type":"string","maxLength":300}}}`),
	}
}

type wrapArgs struct {
	Text    string `json:"text"`
	Source  string `json:"source"`
	From    string `json:"from"`
	Subject string `json:"subject"`
}

// Run wraps.
func (t wrap) Run(_ context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[wrapArgs](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	if len(a.Text) > MaxText {
		return tool.Result{}, tool.Input("text is longer than 1 MiB.")
	}
	return tool.Text(t.d.Wrap(a.Text, a.Source, a.From, a.Subject), nil), nil
}
