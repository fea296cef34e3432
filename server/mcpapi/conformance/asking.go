package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chitin-sh/chitin/tool"
)

// asking are the tools that ask the client's user or model.
func asking() []fixture {
	return []fixture{
		{name: "test_sampling", about: "Asks the client's model.", talks: true, run: sample,
			schema: `{"type":"object","properties":{"prompt":{"type":"string"}},"required":["prompt"]}`},
		{name: "test_elicitation", about: "Asks the client's user.", talks: true, run: elicit("User response", identity),
			schema: `{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`},
		{name: "test_elicitation_sep1034_defaults", about: "Asks with defaults.", talks: true, run: elicit("Elicitation completed", defaults)},
		{name: "test_elicitation_sep1330_enums", about: "Asks with choices.", talks: true, run: elicit("Elicitation completed", choices)},
	}
}

func sample(ctx context.Context, c *tool.Call) (tool.Result, error) {
	var a struct{ Prompt string }
	if err := json.Unmarshal(c.Args, &a); err != nil {
		return tool.Result{}, tool.Input("prompt must be a string")
	}
	req, err := json.Marshal(map[string]any{
		"messages":  []any{map[string]any{"role": "user", "content": map[string]string{"type": "text", "text": a.Prompt}}},
		"maxTokens": 100,
	})
	if err != nil {
		return tool.Result{}, err
	}
	raw, err := tool.ClientOf(ctx).Sample(ctx, req)
	if err != nil {
		return tool.Result{}, unasked(err)
	}
	var got struct{ Content struct{ Text string } }
	if err := json.Unmarshal(raw, &got); err != nil {
		return tool.Result{}, err
	}
	return tool.Text("LLM response: "+got.Content.Text, nil), nil
}

func unasked(err error) error {
	if errors.Is(err, tool.ErrNoClient) {
		return tool.Failed("The client does not support this.", err)
	}
	return err
}

func elicit(head, schema string) func(context.Context, *tool.Call) (tool.Result, error) {
	return func(ctx context.Context, c *tool.Call) (tool.Result, error) {
		a := struct{ Message string }{"Please fill in the form."}
		if err := json.Unmarshal(c.Args, &a); err != nil {
			return tool.Result{}, tool.Input("message must be a string")
		}
		action, content, err := tool.ClientOf(ctx).Elicit(ctx, a.Message, json.RawMessage(schema))
		if err != nil {
			return tool.Result{}, unasked(err)
		}
		return tool.Text(fmt.Sprintf("%s: action=%s, content=%s", head, action, content), nil), nil
	}
}

const identity = `{"type":"object","properties":{
"username":{"type":"string","description":"User's response"},
"email":{"type":"string","description":"User's email address"}},"required":["username","email"]}`

const defaults = `{"type":"object","properties":{
"name":{"type":"string","description":"Name","default":"John Doe"},
"age":{"type":"integer","description":"Age","default":30},
"score":{"type":"number","description":"Score","default":95.5},
"status":{"type":"string","description":"Status","enum":["active","inactive","pending"],"default":"active"},
"verified":{"type":"boolean","description":"Verified","default":true}},"required":[]}`

const choices = `{"type":"object","properties":{
"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
"untitledMulti":{"type":"array","items":{"type":"string","enum":["option1","option2","option3"]}},
"titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}}}`
