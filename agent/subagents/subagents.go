// Package subagents runs work that a session hands to sessions of its own:
// each child has at most its parent's authority, label and sandbox, and limits
// of depth, breadth and time.
package subagents

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Limits of spawning. Zero means the default.
type Limits struct {
	Depth   int           // generations below a main session; default 2
	Breadth int           // children of one session at once; default 8
	Timeout time.Duration // of one child; default 15 minutes
}

// Refusal is an error that the caller of a tool is told.
type Refusal struct{ Message string }

// Error is the message.
func (r *Refusal) Error() string { return r.Message }

func refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// Deps of a Manager.
type Deps struct {
	Loop     *agent.Loop
	Sessions *session.Store
	Policy   func() *toolpolicy.Engine
	Facts    func(ctx context.Context, req invoke.Request) (toolpolicy.Session, error)
	// Model is the model of an agent's turns.
	Model func(agent string) string
	// Sandboxed reports whether an agent's background sessions run in a sandbox.
	Sandboxed func(agent string) bool
	// Carry takes from a call's context what its child's calls need, such as
	// the way to the human who watches; nil takes nothing.
	Carry  func(from, to context.Context, session string) context.Context
	Limits Limits
}

// Manager keeps the running children of every session.
type Manager struct {
	Deps
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	running map[string]*child // by run id
}

type child struct {
	tenant, parent string
	cancel         context.CancelFunc
	done           chan struct{}
}

// New makes a manager; Close ends its children.
func New(d Deps) *Manager {
	if d.Limits.Depth <= 0 {
		d.Limits.Depth = 2
	}
	if d.Limits.Breadth <= 0 {
		d.Limits.Breadth = 8
	}
	if d.Limits.Timeout <= 0 {
		d.Limits.Timeout = 15 * time.Minute
	}
	m := &Manager{Deps: d, running: map[string]*child{}}
	m.ctx, m.stop = context.WithCancel(context.Background())
	return m
}

// Close cancels every child and waits for them.
func (m *Manager) Close(ctx context.Context) error {
	m.stop()
	done := make(chan struct{})
	go func() { m.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Task is what a session hands to a child.
type Task struct {
	Text    string
	Label   string
	Agent   string // "" is the parent's
	Model   string // "" is the agent's
	Require bool   // refuse unless the child runs in a sandbox
	Timeout time.Duration
}

// Spawn starts a child of the session that the caller speaks for and returns
// its run. It does not wait.
func (m *Manager) Spawn(ctx context.Context, caller gateway.Caller, surface toolpolicy.Surface, parentKey string, t Task) (session.Run, error) {
	parent, err := m.Sessions.Get(ctx, caller.Tenant(), parentKey)
	if err != nil {
		return session.Run{}, err
	}
	if t.Agent == "" {
		t.Agent = parent.Key.Agent
	}
	if err := m.allowed(parent, t); err != nil {
		return session.Run{}, err
	}
	inherited, err := m.inherit(ctx, caller, surface, parent)
	if err != nil {
		return session.Run{}, err
	}
	id := strings.ToLower(rand.Text())
	run := session.Run{ID: id, Session: session.Key{Agent: t.Agent, Name: "subagent:" + id}.String(), Parent: parentKey, Label: t.Label, State: session.RunRunning, Started: time.Now()}
	c, release, err := m.reserve(caller.Tenant(), run, t.Timeout)
	if err != nil {
		return session.Run{}, err
	}
	s, err := m.Sessions.Spawn(ctx, parent, session.Key{Agent: t.Agent, Name: "subagent:" + id}, caller.Principal(), inherited)
	if err == nil {
		err = m.Sessions.BeginRun(ctx, caller.Tenant(), run)
	}
	if err != nil {
		release()
		return session.Run{}, err
	}
	if m.Carry != nil {
		c = m.Carry(ctx, c, s.Key.String())
	}
	m.wg.Go(func() {
		defer release()
		m.run(c, caller.Narrow(gateway.ScopeRead|gateway.ScopeWrite, false), s, run, t)
	})
	return run, nil
}

func (m *Manager) allowed(parent session.Session, t Task) error {
	switch {
	case parent.Depth >= m.Limits.Depth:
		return refuse("a sub-agent of this depth may not spawn another (limit %d)", m.Limits.Depth)
	case t.Agent != parent.Key.Agent:
		return refuse("agentId %q is not allowed: a session spawns only its own agent", t.Agent)
	case t.Require && !m.Sandboxed(t.Agent):
		return refuse("sandbox \"require\": this agent's background sessions do not run in a sandbox")
	}
	return nil
}

// inherit encodes what the parent could use now; the child never gets more.
func (m *Manager) inherit(ctx context.Context, caller gateway.Caller, surface toolpolicy.Surface, parent session.Session) (string, error) {
	facts, err := m.Facts(ctx, invoke.Request{Caller: caller, Surface: surface, SessionKey: parent.Key.String()})
	if err != nil {
		return "", err
	}
	return invoke.EncodeInherited(m.Policy().Inherit(caller, surface, &facts))
}

// reserve takes one of the parent's places for children.
func (m *Manager) reserve(tenant string, run session.Run, timeout time.Duration) (context.Context, func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	siblings := 0
	for _, c := range m.running {
		if c.tenant == tenant && c.parent == run.Parent {
			siblings++
		}
	}
	if siblings >= m.Limits.Breadth {
		return nil, nil, refuse("this session already has %d sub-agents; wait for one or cancel one", siblings)
	}
	if timeout <= 0 || timeout > m.Limits.Timeout {
		timeout = m.Limits.Timeout
	}
	ctx, cancel := context.WithTimeout(m.ctx, timeout)
	c := &child{tenant: tenant, parent: run.Parent, cancel: cancel, done: make(chan struct{})}
	m.running[run.ID] = c
	return ctx, func() {
		cancel()
		m.mu.Lock()
		delete(m.running, run.ID)
		m.mu.Unlock()
		close(c.done)
	}, nil
}

// run does the child's turn and tells the parent, under the label that the
// child has by then.
func (m *Manager) run(ctx context.Context, caller gateway.Caller, s session.Session, run session.Run, t Task) {
	if t.Model == "" {
		t.Model = m.Model(s.Key.Agent)
	}
	out, err := m.Loop.Run(ctx, agent.Turn{
		Caller: caller, Surface: toolpolicy.SurfaceSubagent, Session: s, Input: t.Text, Label: s.Label, Model: t.Model,
	})
	state, text := session.RunDone, out.Text
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		state, text = session.RunFailed, "its time is up"
	case ctx.Err() != nil:
		state, text = session.RunCancelled, "cancelled"
	case err != nil:
		state, text = session.RunFailed, err.Error()
	}
	end := context.WithoutCancel(ctx)
	label := s.Label
	if now, err := m.Sessions.Get(end, s.Tenant, s.Key.String()); err == nil {
		label = now.Label
	}
	_ = m.Sessions.EndRun(end, s.Tenant, run.ID, state, text)
	_, _ = m.Sessions.Append(end, s.Tenant, run.Parent, session.Message{
		Role: session.RoleEvent, Author: "subagent:" + run.ID, Text: "Sub-agent " + run.ID + " " + state + ": " + text, Label: label,
	})
}

// Wait returns when the named runs of a parent have ended or ctx does. A run
// of another parent is session.ErrNotFound.
func (m *Manager) Wait(ctx context.Context, tenant, parent string, ids []string) ([]session.Run, error) {
	var out []session.Run
	for _, id := range ids {
		if _, err := m.Sessions.Run(ctx, tenant, parent, id); err != nil {
			return nil, err
		}
		m.mu.Lock()
		c := m.running[id]
		m.mu.Unlock()
		if c != nil {
			select {
			case <-c.done:
			case <-ctx.Done():
			}
		}
		r, err := m.Sessions.Run(context.WithoutCancel(ctx), tenant, parent, id)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Cancel ends a run of a parent. Ending one that has ended is no error.
func (m *Manager) Cancel(ctx context.Context, tenant, parent, id string) (session.Run, error) {
	if _, err := m.Sessions.Run(ctx, tenant, parent, id); err != nil {
		return session.Run{}, err
	}
	m.mu.Lock()
	c := m.running[id]
	m.mu.Unlock()
	if c != nil {
		c.cancel()
		select {
		case <-c.done:
		case <-ctx.Done():
		}
	}
	return m.Sessions.Run(context.WithoutCancel(ctx), tenant, parent, id)
}
