package httpapi

import (
	"encoding/json"
	"errors"
)

// callBody is the body of a tool call. Every other field is ignored: nothing
// internal can be set from outside.
type callBody struct {
	name, tool     string
	args           raw
	action         string
	sessionKey     string
	agentID        string
	idempotencyKey string
	dryRun         bool
}

// errShape is valid JSON that is not a usable object.
var errShape = errors.New("not an object")

// parseCall reads a body. Names are case-sensitive, the last of several equal
// names counts, and a field of the wrong type counts as absent.
func parseCall(body []byte) (callBody, error) {
	var c callBody
	if len(body) == 0 {
		return c, errShape
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return c, err
		}
		return c, errShape
	}
	for name, v := range fields {
		switch name {
		case "name":
			c.name = text(v)
		case "tool":
			c.tool = text(v)
		case "args":
			if object(v) {
				c.args = v
			}
		case "action":
			c.action = text(v)
		case "sessionKey":
			c.sessionKey = text(v)
		case "agentId":
			c.agentID = text(v)
		case "idempotencyKey":
			c.idempotencyKey = text(v)
		case "dryRun":
			c.dryRun = string(v) == "true"
		}
	}
	return c, nil
}

func text(v json.RawMessage) string {
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	plain := true
	for _, b := range v[1 : len(v)-1] {
		if b == '\\' || b < 0x20 || b >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return string(v[1 : len(v)-1])
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

func object(v json.RawMessage) bool { return len(v) > 0 && v[0] == '{' }
