package exec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chitin-sh/chitin/secrets"
)

// ProtocolVersion is the version both sides name.
const ProtocolVersion = 1

// Request is what a program reads on its standard input.
type Request struct {
	ProtocolVersion int      `json:"protocolVersion"`
	Provider        string   `json:"provider"`
	IDs             []string `json:"ids"`
}

// Response is what a program writes on its standard output.
type Response struct {
	ProtocolVersion int                 `json:"protocolVersion"`
	Values          map[string]string   `json:"values"`
	Errors          map[string]RefError `json:"errors,omitempty"`
}

// RefError is why one id has no value.
type RefError struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// The codes that a program may give for one id; any other reads as a failure.
const (
	NotFound  = "NOT_FOUND"
	Ambiguous = "AMBIGUOUS_DUPLICATE_KEY"
)

func request(name string, ids []string) ([]byte, *secrets.Error) {
	req, err := json.Marshal(Request{ProtocolVersion, name, ids})
	if err != nil || len(req) > maxRequest {
		return nil, secrets.Fail(secrets.CodeRefInvalid, fmt.Sprintf("one batch of ids is larger than %d bytes", maxRequest), "use shorter ids, or two providers")
	}
	return append(req, '\n'), nil
}

// parse reads a response. Nothing of the output gets into an error.
func parse(out []byte, ids []string, lenient bool) map[string]secrets.Result {
	var resp struct {
		ProtocolVersion int                        `json:"protocolVersion"`
		Values          map[string]json.RawMessage `json:"values"`
		Errors          map[string]json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(bytes.TrimSpace(out), &resp) != nil || resp.ProtocolVersion == 0 && resp.Values == nil {
		if lenient && len(ids) == 1 && len(bytes.TrimSpace(out)) > 0 {
			return map[string]secrets.Result{ids[0]: value(strings.TrimSpace(string(out)), ids[0])}
		}
		return secrets.FailAll(ids, secrets.Fail(secrets.CodeContract, "the program's output is not the JSON protocol", `print {"protocolVersion":1,"values":{…}}, or set jsonOnly: false for a single id`))
	}
	if resp.ProtocolVersion != ProtocolVersion {
		return secrets.FailAll(ids, secrets.Fail(secrets.CodeContract, fmt.Sprintf("the program speaks protocol %d, not %d", resp.ProtocolVersion, ProtocolVersion), "use a program for this version"))
	}
	res := make(map[string]secrets.Result, len(ids))
	for _, id := range ids {
		res[id] = one(id, resp.Values[id], resp.Errors[id])
	}
	return res
}

// one is the answer about one id. An error wins over a value.
func one(id string, raw, errRaw json.RawMessage) secrets.Result {
	if len(errRaw) > 0 && string(errRaw) != "null" {
		var e RefError
		_ = json.Unmarshal(errRaw, &e)
		switch e.Code {
		case NotFound:
			return secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, fmt.Sprintf("the provider has no %q", id), "correct the id, or create the secret")}
		case Ambiguous:
			return secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, fmt.Sprintf("the provider has more than one %q", id), "make the id exact")}
		}
		return secrets.Result{Err: secrets.Fail(secrets.CodeProviderError, fmt.Sprintf("the provider could not read %q", id), "run the program by hand to see why")}
	}
	if len(raw) == 0 || string(raw) == "null" {
		return secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, fmt.Sprintf("the provider did not answer for %q", id), "correct the id, or create the secret")}
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return secrets.Result{Err: secrets.Fail(secrets.CodeContract, fmt.Sprintf("the value of %q is not a string", id), "let the program print strings")}
	}
	return value(s, id)
}

func value(s, id string) secrets.Result {
	if strings.TrimSpace(s) == "" {
		return secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, fmt.Sprintf("the value of %q is empty", id), "create the secret")}
	}
	if len(s) > secrets.MaxValueBytes {
		return secrets.Result{Err: secrets.Fail(secrets.CodeContract, fmt.Sprintf("the value of %q is longer than %d bytes", id, secrets.MaxValueBytes), "point at the right secret")}
	}
	return secrets.Result{Value: secrets.NewValue(s)}
}
