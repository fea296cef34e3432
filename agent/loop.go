package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Corridor takes the model's calls through the rooms.
type Corridor interface {
	Run(ctx context.Context, req invoke.Request) invoke.Response
	Tools(ctx context.Context, req invoke.Request) ([]tool.Spec, error)
}

// Limits of one turn. Zero means the default.
type Limits struct {
	Steps   int           // answers of the model
	Tokens  int64         // of input and output together
	Reply   int           // tokens of one answer
	Timeout time.Duration // of the whole turn
	Context int           // tokens of one request, as estimated by Tokens
}

// DefaultLimits are used where a limit is 0.
var DefaultLimits = Limits{Steps: 40, Tokens: 2_000_000, Reply: 8192, Timeout: 30 * time.Minute, Context: 100_000}

// Or fills what is zero.
func (l Limits) Or(d Limits) Limits {
	if l.Steps <= 0 {
		l.Steps = d.Steps
	}
	if l.Tokens <= 0 {
		l.Tokens = d.Tokens
	}
	if l.Reply <= 0 {
		l.Reply = d.Reply
	}
	if l.Timeout <= 0 {
		l.Timeout = d.Timeout
	}
	if l.Context <= 0 {
		l.Context = d.Context
	}
	return l
}

// Turn is one piece of work for an agent.
type Turn struct {
	Caller  gateway.Caller
	Surface toolpolicy.Surface // agent, subagent, hook, cron
	Session session.Session
	Input   string
	Label   string // integrity of the input; "" trusted
	Model   string
	System  string
	Limits  Limits
	// Origin is what the policy knows of where the work comes from; its
	// provider is filled in.
	Origin invoke.Origin
	// Summarize lets the model summarize what does not fit any more.
	Summarize bool
	// NoImages keeps images from the model, for models that take none.
	NoImages bool
	Watch    Watch
	Delta    func(string) // text as it arrives; may be nil
}

// Watch hears what happens during a turn. Every field may be nil.
type Watch struct {
	Thought func(string) // reasoning as it arrives
	// Calls hears of all calls of one answer before the first begins.
	Calls func([]Call)
	// Begin hears of each call before it runs and says in which context; what
	// it returns hears of the answer. Calls that only read run side by side.
	Begin func(ctx context.Context, c Call) (context.Context, func(Answer))
}

// Outcome is how a turn ended.
type Outcome struct {
	Text  string `json:"text"`
	Steps int    `json:"steps"`
	Calls int    `json:"calls"`
	Usage Usage  `json:"usage"`
	// Stopped says which budget ended the turn; empty when the model did.
	Stopped string `json:"stopped,omitempty"`
}

// Loop runs turns.
type Loop struct {
	Corridor Corridor
	Sessions *session.Store
	// Provider finds who serves a model for an agent; the name is without the
	// provider.
	Provider func(agent, model string) (p Provider, name string, err error)
	// Configured fills in what the agent's configuration says of a turn; nil
	// leaves turns as they are.
	Configured func(Turn) Turn
	// Seal wraps text from outside before a model sees it.
	Seal func(label, text string) string
	// Redact takes secrets out of what is kept; nil keeps text as it is.
	Redact func(string) string

	locks locks
}

// ErrNoModel says that no model is configured.
var ErrNoModel = errors.New("no model is configured: set agents.defaults.model and models.providers")

// Run does one turn. Everything that was said and done is in the session's
// history before the next step begins.
func (l *Loop) Run(ctx context.Context, t Turn) (Outcome, error) {
	if l.Configured != nil {
		t = l.Configured(t)
	}
	t.Limits = t.Limits.Or(DefaultLimits)
	ctx, cancel := context.WithTimeout(ctx, t.Limits.Timeout)
	defer cancel()
	t.Origin.Provider = t.Model
	ctx = invoke.WithOrigin(ctx, t.Origin)
	provider, model, err := l.Provider(t.Session.Key.Agent, t.Model)
	if err != nil {
		return Outcome{}, err
	}
	unlock, err := l.locks.take(ctx, t.Session.Tenant+"\x00"+t.Session.Key.String())
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	if _, err := l.add(ctx, t, session.Message{Role: session.RoleUser, Author: t.Caller.Principal(), Text: t.Input, Label: t.Label}); err != nil {
		return Outcome{}, err
	}
	specs, err := l.Corridor.Tools(ctx, l.request(t))
	if err != nil {
		return Outcome{}, err
	}
	p := &progress{t: t, provider: provider, model: model, specs: specs, images: map[int64][]Image{}}
	err = l.steps(ctx, p)
	return p.out, err
}

// progress is a turn under way.
type progress struct {
	t        Turn
	provider Provider
	model    string
	specs    []tool.Spec
	out      Outcome
	images   map[int64][]Image // what this turn's calls showed, by message
}

// steps asks and answers until the model calls nothing more or a budget is
// spent.
func (l *Loop) steps(ctx context.Context, p *progress) error {
	for {
		reply, err := l.step(ctx, p)
		if err != nil {
			return err
		}
		p.out.Steps, p.out.Text = p.out.Steps+1, reply.Text
		p.out.Usage.add(reply.Usage)
		if len(reply.Calls) == 0 {
			return nil
		}
		p.out.Calls += len(reply.Calls)
		if err := l.answer(ctx, p, reply.Calls); err != nil {
			return err
		}
		if p.out.Stopped = spent(p.out, p.t.Limits); p.out.Stopped != "" {
			return nil
		}
	}
}

func spent(o Outcome, l Limits) string {
	switch {
	case o.Steps >= l.Steps:
		return "steps"
	case o.Usage.Input+o.Usage.Output >= l.Tokens:
		return "tokens"
	}
	return ""
}

// add keeps a message, without secrets, and returns its sequence number.
func (l *Loop) add(ctx context.Context, t Turn, m session.Message) (int64, error) {
	m.Text = l.clean(m.Text)
	if calls := l.clean(string(m.Calls)); json.Valid([]byte(calls)) {
		m.Calls = json.RawMessage(calls)
	}
	kept, err := l.Sessions.Append(ctx, t.Session.Tenant, t.Session.Key.String(), m)
	return kept.Seq, err
}

func (l *Loop) request(t Turn) invoke.Request {
	return invoke.Request{Caller: t.Caller, Surface: t.Surface, SessionKey: t.Session.Key.String(), AgentID: t.Session.Key.Agent, Remote: "agent"}
}

// step asks the model once and keeps its answer.
func (l *Loop) step(ctx context.Context, p *progress) (Reply, error) {
	r := Request{Model: p.model, System: p.t.System, Tools: p.specs, MaxTokens: p.t.Limits.Reply, Delta: p.t.Delta, Thought: p.t.Watch.Thought}
	var err error
	if r.Messages, err = l.messages(ctx, p, room(r, p.t.Limits.Context)); err != nil {
		return Reply{}, err
	}
	reply, err := p.provider.Complete(ctx, r)
	if err != nil {
		return Reply{}, err
	}
	m := session.Message{Role: session.RoleAssistant, Author: p.t.Session.Key.Agent, Text: reply.Text}
	if len(reply.Calls) > 0 {
		if m.Calls, err = json.Marshal(reply.Calls); err != nil {
			return Reply{}, fmt.Errorf("the model's calls: %w", err)
		}
	}
	_, err = l.add(ctx, p.t, m)
	return reply, err
}

// room is what a request leaves of its tokens for the history.
func room(r Request, all int) int {
	used := Tokens(r.System)
	for _, t := range r.Tools {
		used += perMessage + Tokens(t.Name) + Tokens(t.Description) + Tokens(string(t.Schema))
	}
	return max(all-used, all/4)
}

// answer runs the model's calls, side by side when all of them only read, and
// keeps the answers in the order of the calls.
func (l *Loop) answer(ctx context.Context, p *progress, calls []Call) error {
	t := p.t
	if t.Watch.Calls != nil {
		t.Watch.Calls(calls)
	}
	answers := make([]Answer, len(calls))
	run := func(i int) { answers[i] = l.watched(ctx, t, calls[i]) }
	if readOnly(p.specs, calls) {
		var wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() { run(i) })
		}
		wg.Wait()
	} else {
		for i := range calls {
			run(i)
		}
	}
	for _, a := range answers {
		meta, err := json.Marshal(a)
		if err != nil {
			return err
		}
		// Also after a cancellation: what was done is not forgotten.
		seq, err := l.add(context.WithoutCancel(ctx), t, session.Message{Role: session.RoleTool, Author: a.Name, Text: a.Text, Calls: meta})
		if err != nil {
			return err
		}
		if len(a.Images) > 0 {
			p.images[seq] = a.Images
		}
	}
	p.trimImages()
	return ctx.Err()
}

func readOnly(specs []tool.Spec, calls []Call) bool {
	safe := map[string]bool{}
	for _, s := range specs {
		safe[s.Name] = !s.Traits.Writes && !s.Traits.Control && !s.Traits.Box
	}
	for _, c := range calls {
		if !safe[c.Name] {
			return false
		}
	}
	return true
}

// watched is call with the turn's watcher around it.
func (l *Loop) watched(ctx context.Context, t Turn, c Call) Answer {
	if t.Watch.Begin == nil {
		return l.call(ctx, t, c)
	}
	ctx, end := t.Watch.Begin(ctx, c)
	a := l.call(ctx, t, c)
	end(a)
	return a
}

// call takes one call through the corridor. A model gets to know that a tool
// is not available, never why.
func (l *Loop) call(ctx context.Context, t Turn, c Call) Answer {
	if ctx.Err() != nil {
		return Answer{ID: c.ID, Name: c.Name, Text: "the turn was cancelled", Error: true}
	}
	req := l.request(t)
	req.Tool, req.Args = c.Name, c.Args
	if len(req.Args) == 0 || !json.Valid(req.Args) {
		req.Args = json.RawMessage("{}")
	}
	resp := l.Corridor.Run(ctx, req)
	if resp.Err != nil {
		return Answer{ID: c.ID, Name: c.Name, Text: resp.Err.Public, Error: true}
	}
	a := Answer{ID: c.ID, Name: c.Name}
	for _, b := range resp.Result.Content {
		a.block(b, !t.NoImages)
	}
	return a
}
