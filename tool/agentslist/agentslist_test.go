package agentslist_test

import (
	"context"
	"errors"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/agentslist"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

type lister struct{ err error }

func (l lister) Agents(context.Context, gateway.Caller, tool.Session) ([]agentslist.Agent, bool, error) {
	return []agentslist.Agent{{ID: "ops", Configured: true, Model: "m"}}, true, l.err
}

func TestAgents(t *testing.T) {
	w := tooltest.New(t, agentslist.New(lister{}))
	res, err := w.Call(context.Background(), "agents_list", `{}`)
	if d, ok := res.Details.(agentslist.Details); err != nil || !ok || !d.AllowAny || d.Requester != "main" || d.Agents[0].Model != "m" {
		t.Errorf("%+v %v", res, err)
	}
	broken := errors.New("store closed")
	w = tooltest.New(t, agentslist.New(lister{err: broken}))
	if _, err := w.Call(context.Background(), "agents_list", `{}`); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
