package httpapi

import (
	"encoding/json"
	"errors"

	"github.com/chitin-sh/chitin/internal/jsontext"
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
	if jsontext.Members(body, c.set) {
		return c, nil
	}
	var fields map[string]json.RawMessage // finds out what is wrong with it
	var syntax *json.SyntaxError
	if err := json.Unmarshal(body, &fields); errors.As(err, &syntax) {
		return callBody{}, err
	}
	return callBody{}, errShape
}

func (c *callBody) set(name string, v json.RawMessage) {
	switch name {
	case "name":
		c.name = text(v)
	case "tool":
		c.tool = text(v)
	case "args":
		c.args = object(v)
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

func text(v json.RawMessage) string {
	s, _ := jsontext.Unquote(v)
	return s
}

func object(v json.RawMessage) raw {
	if len(v) > 0 && v[0] == '{' {
		return v
	}
	return nil
}
