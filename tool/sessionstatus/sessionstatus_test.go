package sessionstatus_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/sessionstatus"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

type source struct{}

func (source) Status(_ context.Context, _ gateway.Caller, from tool.Session, key string) (sessionstatus.Status, error) {
	if from.Tenant != "default" || key == "agent:main:hidden" {
		return sessionstatus.Status{}, &tool.Error{Kind: tool.KindNotFound, Public: "No session found: " + key}
	}
	return sessionstatus.Status{
		Key: key, Agent: "main", Model: "m1", Execution: "sandboxed", Backend: "docker", Version: "1.2.3",
		Updated: time.Now().Add(-time.Minute), Uptime: time.Hour, StateVersion: 4, Label: "untrusted:email",
	}, nil
}

func TestStatus(t *testing.T) {
	w := tooltest.New(t, sessionstatus.New(source{}))
	res, err := w.Call(context.Background(), "session_status", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	d := res.Details.(sessionstatus.Details)
	if !d.OK || d.SessionKey != "agent:main:main" || d.AgentID != "main" || d.StateVersion != 4 || d.ChangedModel || d.StatusText != res.Content[0].Text || d.Active.Channel != "cli" {
		t.Errorf("%+v", d)
	}
	for _, part := range []string{"chitin 1.2.3", "Uptime: 1h0m0s", "Model: m1", "(updated 1m", "sandboxed (docker)", "untrusted:email"} {
		if !strings.Contains(d.StatusText, part) {
			t.Errorf("%q is missing in %q", part, d.StatusText)
		}
	}
	for args, kind := range map[string]tool.ErrorKind{
		`{"sessionKey":"agent:main:hidden"}`: tool.KindNotFound, `{"model":"other"}`: tool.KindInput, `{"changesSince":-1}`: tool.KindInput,
	} {
		if _, err := w.Call(context.Background(), "session_status", args); err == nil || tool.AsError(err).Kind != kind {
			t.Errorf("%s: %v", args, err)
		}
	}
	w = tooltest.New(t, sessionstatus.New(nil))
	if _, err := w.Call(context.Background(), "session_status", `{"sessionKey":"agent:main:other"}`); tool.AsError(err).Kind != tool.KindNotFound {
		t.Errorf("another session without a source: %v", err)
	}
}
