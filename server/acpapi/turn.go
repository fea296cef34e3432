package acpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/coder/acp-go-sdk"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// turn shows one turn at the editor. An editor that cannot be written to loses
// its connection, and with it the turn: errors of updates need no care here.
type turn struct {
	e       *editor
	session acp.SessionId

	mu    sync.Mutex
	calls int
	steps []acp.PlanEntry           // the calls of the model's newest answer
	open  map[string]acp.ToolCallId // of a replay, by the model's id
	next  int                       // of steps, to begin
}

func (t *turn) update(u acp.SessionUpdate) error {
	return t.e.client.SessionUpdate(t.e.c.ctx, acp.SessionNotification{SessionId: t.session, Update: u})
}

func (t *turn) say(text string) {
	if text != "" {
		_ = t.update(acp.UpdateAgentMessageText(text))
	}
}

func (t *turn) think(text string) {
	if text != "" {
		_ = t.update(acp.UpdateAgentThoughtText(text))
	}
}

// plan shows several calls of one answer as the plan that they are.
func (t *turn) plan(calls []agent.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps, t.next = nil, 0
	if len(calls) < 2 {
		return
	}
	for _, c := range calls {
		t.steps = append(t.steps, acp.PlanEntry{Content: t.title(c), Priority: acp.PlanEntryPriorityMedium, Status: acp.PlanEntryStatusPending})
	}
	t.showPlan()
}

func (t *turn) showPlan() {
	_ = t.update(acp.UpdatePlan(append([]acp.PlanEntry{}, t.steps...)...))
}

// step moves one entry of the plan.
func (t *turn) step(i int, s acp.PlanEntryStatus) {
	if i < len(t.steps) {
		t.steps[i].Status = s
		t.showPlan()
	}
}

// begin shows a call. The id is ours: a model's ids need not be unique.
func (t *turn) begin(c agent.Call) (func(context.Context, Question) (Verdict, error), func(agent.Answer)) {
	t.mu.Lock()
	id, i := t.start(c, acp.ToolCallStatusPending), t.next
	t.next++
	t.step(i, acp.PlanEntryStatusInProgress)
	t.mu.Unlock()
	_ = t.update(acp.UpdateToolCall(id, acp.WithUpdateStatus(acp.ToolCallStatusInProgress)))
	ask := func(ctx context.Context, q Question) (Verdict, error) { return t.ask(ctx, id, q) }
	return ask, func(a agent.Answer) {
		t.end(id, a.Text, a.Error)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.step(i, acp.PlanEntryStatusCompleted)
	}
}

func (t *turn) start(c agent.Call, s acp.ToolCallStatus) acp.ToolCallId {
	t.calls++
	id := acp.ToolCallId(fmt.Sprintf("call-%d", t.e.c.nextCall.Add(1)))
	_ = t.update(acp.StartToolCall(id, t.title(c), acp.WithStartKind(kind(c.Name)), acp.WithStartStatus(s),
		acp.WithStartRawInput(t.input(c.Args)), acp.WithStartLocations(locations(c))))
	return id
}

func (t *turn) end(id acp.ToolCallId, text string, failed bool) {
	s := acp.ToolCallStatusCompleted
	if failed {
		s = acp.ToolCallStatusFailed
	}
	_ = t.update(acp.UpdateToolCall(id, acp.WithUpdateStatus(s),
		acp.WithUpdateContent([]acp.ToolCallContent{acp.ToolContent(acp.TextBlock(clip(t.e.c.s.deps.Redact(text), maxShown)))})))
}

// seen and answered show a call of an earlier turn.
func (t *turn) seen(c agent.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[string]acp.ToolCallId{}
	}
	t.open[c.ID] = t.start(c, acp.ToolCallStatusPending)
}

func (t *turn) answered(m Entry) {
	t.mu.Lock()
	id, ok := t.open[m.ID]
	delete(t.open, m.ID)
	t.mu.Unlock()
	if ok {
		t.end(id, m.Text, m.Error)
	}
}

// title is a call on one line.
func (t *turn) title(c agent.Call) string {
	var a struct {
		Command string `json:"command"`
		Path    string `json:"path"`
		URL     string `json:"url"`
	}
	_ = json.Unmarshal(c.Args, &a)
	what := a.Command + a.Path + a.URL
	return clip(t.e.c.s.deps.Redact(strings.TrimSpace(c.Name+" "+shell.Show(what))), 200)
}

// input is a call's arguments without secrets.
func (t *turn) input(args json.RawMessage) any {
	clean := t.e.c.s.deps.Redact(string(args))
	if len(clean) > maxShown || !json.Valid([]byte(clean)) {
		return map[string]any{"note": "not shown: too long"}
	}
	return json.RawMessage(clean)
}

// kind is what an editor draws a call as.
func kind(tool string) acp.ToolKind {
	switch tool {
	case "read", "ls", "image", "session_status", "sessions_history":
		return acp.ToolKindRead
	case "write", "edit", "apply_patch":
		return acp.ToolKindEdit
	case "exec", "process":
		return acp.ToolKindExecute
	case "web_fetch":
		return acp.ToolKindFetch
	case "web_search", "search", "memory_search", "sessions_search", "sessions_list":
		return acp.ToolKindSearch
	}
	return acp.ToolKindOther
}

// workdir is where the workspace is inside a sandbox.
const workdir = "/workspace"

// locations are the files of a call, by their paths inside the sandbox.
func locations(c agent.Call) []acp.ToolCallLocation {
	var a struct{ Path, Image, Input string }
	_ = json.Unmarshal(c.Args, &a)
	var out []acp.ToolCallLocation
	for _, p := range append([]string{a.Path, a.Image}, toolpolicy.PatchPaths(a.Input)...) {
		if p == "" || len(p) > 4096 || len(out) == 16 {
			continue
		}
		if !path.IsAbs(p) {
			p = path.Join(workdir, p)
		}
		out = append(out, acp.ToolCallLocation{Path: p})
	}
	return out
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n]
	for !utf8.ValidString(s) && len(s) > 0 {
		s = s[:len(s)-1]
	}
	return s + "…"
}
