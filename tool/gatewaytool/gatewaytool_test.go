package gatewaytool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/gatewaytool"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

// admin is a configuration of one key.
type admin struct {
	bind  string
	calls int
}

func (a *admin) Get(_ context.Context, path string) (any, string, error) {
	a.calls++
	if path != "gateway.bind" {
		return nil, "", gatewaytool.ErrNotFound
	}
	return a.bind, "h:" + a.bind, nil
}

func (a *admin) Lookup(_ context.Context, path string) (any, error) {
	a.calls++
	return map[string]string{"type": "string", "path": path}, nil
}

func (a *admin) Patch(_ context.Context, by gateway.Caller, p gatewaytool.Patch) (gatewaytool.Outcome, error) {
	a.calls++
	var m struct{ Gateway struct{ Bind string } }
	if err := json.Unmarshal(p.Merge, &m); err != nil {
		return gatewaytool.Outcome{}, err
	}
	switch {
	case p.Base != "" && p.Base != "h:"+a.bind:
		return gatewaytool.Outcome{}, gatewaytool.ErrChanged
	case m.Gateway.Bind == "":
		return gatewaytool.Outcome{}, &gatewaytool.InvalidError{Problems: []string{"gateway.bind: must be loopback, lan or auto"}}
	case m.Gateway.Bind == "broken":
		return gatewaytool.Outcome{}, errors.New("open /home/owner/secret.yml: permission denied")
	}
	out := gatewaytool.Outcome{Diff: fmt.Sprintf("-bind: %s\n+bind: %s", a.bind, m.Gateway.Bind), Changed: true, Applied: !p.DryRun}
	if !p.DryRun {
		a.bind = m.Gateway.Bind
	}
	return out, nil
}

func TestOwnerReadsAndChanges(t *testing.T) {
	a := &admin{bind: "loopback"}
	w := tooltest.New(t, gatewaytool.New(a))
	w.Caller = gatewaytest.Caller()
	call := func(args string) (string, error) {
		res, err := w.Call(context.Background(), "gateway", args)
		if err != nil {
			return "", err
		}
		b, err := json.Marshal(res.Details)
		return string(b), err
	}
	for _, c := range []struct{ args, want, err string }{
		{`{"action":"config.get","path":"gateway.bind"}`, `{"ok":true,"path":"gateway.bind","hash":"h:loopback","config":"loopback"}`, ""},
		{`{"action":"config.get","path":"none"}`, "", "No such configuration key: none."},
		{`{"action":"config.schema.lookup","path":"gateway"}`, `{"ok":true,"path":"gateway","schema":{"path":"gateway","type":"string"}}`, ""},
		{`{"action":"config.patch","patch":{"gateway":{"bind":"lan"}},"dryRun":true}`, `{"ok":true,"diff":"-bind: loopback\n+bind: lan","changed":true,"applied":false}`, ""},
		{`{"action":"config.patch","patch":{"gateway":{"bind":"lan"}},"baseHash":"h:loopback"}`, `{"ok":true,"diff":"-bind: loopback\n+bind: lan","changed":true,"applied":true}`, ""},
		{`{"action":"config.patch","patch":{"gateway":{"bind":"auto"}},"baseHash":"h:loopback"}`, "", "The configuration changed meanwhile."},
		{`{"action":"config.patch","patch":{"gateway":{"bind":null}}}`, "", "The configuration would be invalid; nothing was changed.\n- gateway.bind"},
		{`{"action":"config.patch","patch":{"gateway":{"bind":"broken"}}}`, "", "The configuration could not be read or changed."},
		{`{"action":"config.patch"}`, "", "Missing required parameter: patch."},
		{`{"action":"config.patch","patch":[1]}`, "", "Invalid parameter: patch must be of type object."},
		{`{"action":"update.run"}`, "", "Invalid parameter: action must be one of"},
		{`{}`, "", "Missing required parameter: action."},
	} {
		got, err := call(c.args)
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %s %v", c.args, got, err)
		}
		if c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)) {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

// Nobody but the owner gets through, whatever the policy above said.
func TestOthersAreRefused(t *testing.T) {
	a := &admin{bind: "loopback"}
	w := tooltest.New(t, gatewaytool.New(a))
	for name, caller := range map[string]gateway.Caller{
		"anonymous": {},
		"not owner": gatewaytest.Caller(gatewaytest.Owner(false)),
		"narrowed":  gatewaytest.Caller().Narrow(gateway.ScopeAdmin, false),
	} {
		w.Caller = caller
		for _, args := range []string{`{"action":"config.get"}`, `{"action":"config.patch","patch":{"gateway":{"bind":"lan"}}}`} {
			if _, err := w.Call(context.Background(), "gateway", args); tool.AsError(err).Kind != tool.KindForbidden {
				t.Errorf("%s: %s: %v", name, args, err)
			}
		}
	}
	if a.calls != 0 {
		t.Errorf("the configuration was asked %d times", a.calls)
	}
	w = tooltest.New(t, gatewaytool.New(nil))
	w.Caller = gatewaytest.Caller()
	if _, err := w.Call(context.Background(), "gateway", `{"action":"config.get"}`); tool.AsError(err).Kind != tool.KindUnavail {
		t.Errorf("without an admin: %v", err)
	}
}
