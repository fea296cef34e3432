package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/chitin-sh/chitin/internal/jsontext"
	"github.com/chitin-sh/chitin/internal/lazyctx"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// call is one request on its way through the rooms.
type call struct {
	*Deps
	req     Request
	id      string
	start   time.Time
	tool    tool.Tool
	session session.Session
	facts   toolpolicy.Session
	query   toolpolicy.Query
	grant   toolpolicy.Grant
	record  journal.Entry // the one that is being written
	durable func() error  // waits until the decision is; nil if that has not begun
}

// Run takes one call through the rooms in their order: who (already proved),
// may they, where, run, is the result trusted text, redact, record, reply.
func (r *Runner) Run(ctx context.Context, req Request) Response {
	r.prepare(ctx, &req)
	c := &call{Deps: r.deps.Load(), req: req, id: r.ids.next(), start: time.Now()}
	if r.busy.Add(1) > int64(c.Limits.InFlight) {
		r.busy.Add(-1)
		return c.fail(tool.Unavailable("too many calls at once; try again shortly", nil))
	}
	defer r.busy.Add(-1)
	ctx, cancel := lazyctx.WithTimeout(ctx, c.Limits.Timeout)
	defer cancel()

	if err := c.resolve(ctx); err != nil {
		return c.fail(err)
	}
	decision := c.decide()
	if req.DryRun {
		return c.dryRun(decision)
	}
	if decision.Verdict == toolpolicy.Ask {
		return c.ask(ctx, decision)
	}
	if decision.Verdict != toolpolicy.Allow || !c.grant.Valid() {
		return c.deny(decision)
	}
	return c.once(ctx, decision)
}

// resolve finds the tool and the session. An unknown tool goes on: it is
// denied where a forbidden one is, so that nobody can tell them apart.
func (c *call) resolve(ctx context.Context) error {
	agent := c.req.AgentID
	if agent == "" {
		agent = c.Agents.Default()
	}
	key, err := session.ParseKey(c.req.SessionKey, agent)
	if err != nil {
		return tool.Input("sessionKey: " + err.Error())
	}
	if c.req.AgentID != "" && key.Agent != c.req.AgentID {
		return tool.Input("sessionKey belongs to another agent than agentId")
	}
	if !c.Agents.Known(key.Agent) {
		return tool.Input("Unknown agent id \"" + key.Agent + "\"")
	}
	if c.req.Caller.Anonymous() {
		return &tool.Error{Kind: tool.KindForbidden, Public: "nobody was identified"}
	}
	name, known := c.Tools.Canonical(c.req.Tool)
	if known {
		c.tool, _ = c.Tools.Get(name)
	} else if name = c.req.Tool; c.Mounts != nil {
		c.tool = c.mounted(key.Agent, name)
	}
	c.session, err = c.Sessions.Open(ctx, c.req.Caller.Tenant(), key, c.req.Caller.Principal())
	switch {
	case errors.Is(err, session.ErrNotFound):
		return &tool.Error{Kind: tool.KindNotFound, Public: "No session found: " + key.String(), Err: err}
	case err != nil:
		return &tool.Error{Kind: tool.KindFailed, Public: "the session cannot be opened", Err: err}
	}
	boxed, readOnly := c.Places.Facts(key.Agent, key.Main())
	c.facts = toolpolicy.Session{
		Key: key.String(), Agent: key.Agent, Tenant: c.req.Caller.Tenant(), Sandboxed: boxed, ReadOnly: readOnly,
		Depth: c.session.Depth, Label: c.session.Label, Inherited: inherited(c.session.Inherited),
	}
	from(ctx, &c.facts)
	c.query = toolpolicy.Query{Tool: name, Args: c.req.Args, Surface: c.req.Surface, Session: &c.facts}
	return nil
}

func (c *call) decide() toolpolicy.Decision {
	grant, d := c.Policy.Decide(c.req.Caller, &c.query)
	if c.tool == nil {
		return toolpolicy.Decision{Verdict: toolpolicy.Deny, Layer: "registry", Reason: "no tool has this name"}
	}
	c.grant = grant
	return d
}

// deny answers a forbidden call and an unknown tool alike. Nothing took effect,
// so the answer need not wait for the disk.
func (c *call) deny(d toolpolicy.Decision) Response {
	if _, err := c.Journal.Note(c.decided(d, toolpolicy.Deny)); err != nil {
		return c.unrecorded(err)
	}
	return Response{CallID: c.id, Decision: d, Err: &tool.Error{Kind: tool.KindNotFound, Public: "Tool not available: " + c.Redactor.String(c.req.Tool)}}
}

func (c *call) dryRun(d toolpolicy.Decision) Response {
	e := c.decided(d, d.Verdict)
	e.Event, e.Outcome = "call.dryrun", "dry-run"
	if _, err := c.Journal.Append(e); err != nil {
		return c.unrecorded(err)
	}
	return Response{CallID: c.id, Decision: d, Trace: c.Policy.Trace(c.req.Caller, &c.query)}
}

// ask parks the call until a human decides about exactly this plan.
func (c *call) ask(ctx context.Context, d toolpolicy.Decision) Response {
	if _, err := c.Journal.Append(c.decided(d, toolpolicy.Ask)); err != nil {
		return c.unrecorded(err)
	}
	blocked := &tool.Error{Kind: tool.KindForbidden, Public: "Tool call requires approval: " + c.query.Tool}
	if c.Approvals == nil {
		return Response{CallID: c.id, Decision: d, Err: blocked}
	}
	q := Question{Call: c.id, Caller: c.req.Caller, Query: &c.query, Reason: d.Reason, Session: c.session}
	grant, id, err := c.Approvals.Ask(ctx, q)
	if err != nil || !grant.Valid() {
		blocked.Err = err
		if err != nil {
			blocked.Public += " (" + publicReason(err) + ")"
		}
		return Response{CallID: c.id, Decision: d, ApprovalID: id, Err: blocked}
	}
	c.grant = grant
	d.Reason = "approved: " + id
	return c.once(ctx, d)
}

func publicReason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "nobody answered in time"
	case errors.Is(err, context.Canceled):
		return "the caller went away"
	}
	return "denied"
}

// perform runs a granted call and records its outcome before anybody hears
// of it.
func (c *call) perform(ctx context.Context, d toolpolicy.Decision) Response {
	if err := c.allow(d); err != nil {
		return c.unrecorded(err)
	}
	res, err := c.place(ctx)
	done := c.entry(journal.EventDone)
	done.Duration = time.Since(c.start)
	if err != nil {
		te := tool.AsError(err)
		public := c.Redactor.String(te.Public)
		done.Outcome, done.Error = outcome(ctx, err), public
		if te.Source != "" {
			if public, err = c.sealError(ctx, te, done); err != nil {
				return c.unrecorded(err)
			}
		}
		if te.Err != nil {
			c.Log.Warn("call failed", slog.String("call", c.id), slog.String("tool", c.query.Tool), slog.Any("err", te.Err))
		}
		if jerr := c.settle(done); jerr != nil {
			return c.unrecorded(jerr)
		}
		return Response{CallID: c.id, Decision: d, Err: &tool.Error{Kind: te.Kind, Code: te.Code, Public: public, Err: te.Err}}
	}
	if err := c.finish(ctx, &res, done); err != nil {
		return c.unrecorded(err)
	}
	return Response{CallID: c.id, Decision: d, Result: &res}
}

// allow records that the call may run, before it has any effect. A command
// takes longer than the disk: its decision gets there meanwhile. A look has no
// effect: its decision is written with its outcome.
func (c *call) allow(d toolpolicy.Decision) (err error) {
	e := c.decided(d, toolpolicy.Allow)
	switch t := c.tool.Spec().Traits; {
	case t.Box:
		c.durable, err = c.Journal.Begin(e)
	case t.Looks:
		_, err = c.Journal.Note(e)
	default:
		_, err = c.Journal.Write(e)
	}
	return err
}

// settle records how the call ended. When it returns, both records survive the
// process, and the decision a power cut; the outcome does too where both wait
// for one sync, else within 20 ms.
func (c *call) settle(done *journal.Entry) error {
	if c.durable == nil {
		_, err := c.Journal.Append(done)
		return err
	}
	_, err := c.Journal.Put(done)
	return errors.Join(err, c.durable())
}

// place chooses where the call runs and runs it there.
func (c *call) place(ctx context.Context) (tool.Result, error) {
	if err := c.validate(); err != nil {
		return tool.Result{}, err
	}
	where, err := c.Places.Choose(ctx, c.grant, c.session, c.tool.Spec().Traits.Box)
	if err != nil {
		return tool.Result{}, placeError(err)
	}
	return c.tool.Run(ctx, &tool.Call{
		ID: c.id, Args: c.req.Args, Grant: c.grant, Place: where, Emit: c.req.Emit,
		Session: tool.Session{
			Key: c.facts.Key, Agent: c.facts.Agent, Tenant: c.facts.Tenant,
			Sandboxed: c.facts.Sandboxed, Depth: c.facts.Depth, Label: c.facts.Label,
		},
	})
}

func placeError(err error) error {
	switch {
	case errors.Is(err, sandbox.ErrRefused):
		return &tool.Error{Kind: tool.KindForbidden, Public: "the sandbox was refused: " + err.Error(), Err: err}
	case errors.Is(err, sandbox.ErrUnavailable):
		return tool.Unavailable("no sandbox is available: install and start a Docker Engine (Debian: apt-get install docker.io) or see chitin sandbox explain", err)
	}
	return err
}

// finish wraps, redacts and records a result.
func (c *call) finish(ctx context.Context, res *tool.Result, done *journal.Entry) error {
	done.Outcome = "ok"
	if res.Source != "" {
		if err := c.seal(ctx, res, done); err != nil {
			return err
		}
	}
	budget := c.Limits.Output
	for i := range res.Content {
		if words := res.Content[i].Words(); words != nil {
			*words = c.Redactor.String(clip(*words, &budget))
		}
	}
	if res.Details != nil {
		raw, err := json.Marshal(res.Details)
		if err != nil {
			return err
		}
		res.Details = json.RawMessage(c.Redactor.Bytes(raw))
	}
	return c.settle(done)
}

// seal wraps text from outside and lowers the session's label, before the
// caller can act on the text.
func (c *call) seal(ctx context.Context, res *tool.Result, done *journal.Entry) error {
	var families []string
	for i := range res.Content {
		words := res.Content[i].Words()
		if words == nil {
			continue
		}
		var flagged []string
		*words, done.Label, flagged = c.Sealer.Seal(res.Source, *words)
		families = append(families, flagged...)
	}
	if len(families) > 0 {
		done.Detail, _ = json.Marshal(map[string]any{"flagged": families})
	}
	return c.Sessions.Taint(ctx, c.facts.Tenant, c.facts.Key, done.Label)
}

func outcome(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled) || ctx.Err() != nil:
		return "cancelled"
	}
	return "error"
}

// clip cuts text to what is left of the budget.
func clip(s string, budget *int) string {
	if len(s) <= *budget {
		*budget -= len(s)
		return s
	}
	s = s[:*budget] + "\n[output cut: the limit of one result is reached]"
	*budget = 0
	return s
}

// entry begins the call's next record. A call writes one after the other.
func (c *call) entry(event string) *journal.Entry {
	c.record = journal.Entry{
		Event: event, Call: c.id, Principal: c.req.Caller.Principal(), Tenant: c.req.Caller.Tenant(),
		Surface: string(c.req.Surface), Session: c.Redactor.String(c.facts.Key), Tool: c.Redactor.String(c.query.Tool), Label: c.facts.Label,
	}
	return &c.record
}

func (c *call) decided(d toolpolicy.Decision, v toolpolicy.Verdict) *journal.Entry {
	e := c.entry(journal.EventDecided)
	e.Verdict, e.Reason = v.String(), c.Redactor.String(d.Reason)
	if len(c.req.Args) > 0 {
		e.Args = c.Redactor.Bytes(c.req.Args)
	}
	e.Trace = traceOf(d)
	return e
}

// traceOf is the deciding step as the journal keeps it; dryRun and policy
// explain give the whole trace.
func traceOf(d toolpolicy.Decision) json.RawMessage {
	b := make([]byte, 0, 128)
	b = jsontext.AppendString(append(b, `[{"layer":`...), d.Layer)
	b = jsontext.AppendString(append(b, `,"effect":`...), d.Verdict.String())
	if d.Rule != "" {
		b = jsontext.AppendString(append(b, `,"rule":`...), d.Rule)
	}
	if d.Key != "" {
		b = jsontext.AppendString(append(b, `,"key":`...), d.Key)
	}
	if d.Line != 0 {
		b = strconv.AppendInt(append(b, `,"line":`...), int64(d.Line), 10)
	}
	return append(b, '}', ']')
}

func (c *call) fail(err error) Response {
	te := *tool.AsError(err) // it may name what the caller sent
	te.Public = c.Redactor.String(te.Public)
	return Response{CallID: c.id, Err: &te}
}

// unrecorded fails a call that the journal could not take: what cannot be
// recorded must not be reported as done.
func (c *call) unrecorded(err error) Response {
	c.Log.Error("journal refused a record", slog.String("call", c.id), slog.Any("err", err))
	return c.fail(tool.Unavailable("the journal cannot be written; the gateway refuses calls until it can", err))
}
