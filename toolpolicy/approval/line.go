package approval

import (
	"context"
	"errors"
	"fmt"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// Line is one live connection to the human who watches a model's turn. What
// asks over it is the turn, run by the gateway for that human, so that here
// alone the asker's own yes counts: for this turn's session on the ACP surface,
// or that of a sub-agent of it, over this very connection. It is made by the
// server for each call and carried in the call's context; nothing that a client
// sends makes one.
type Line struct {
	human   gateway.Caller
	session string
	via     string
	below   bool // it is for a sub-agent of the turn
	ask     func(ctx context.Context, r Request) (Answer, error)
	client  bool // to the user of an MCP client, see NewClientLine
}

// NewLine makes the line of a turn of a session that human watches. Via names
// the connection for the journal. Ask shows a request and returns what was
// said; it ends with its context, and its error is a no.
func NewLine(human gateway.Caller, session, via string, ask func(ctx context.Context, r Request) (Answer, error)) *Line {
	return &Line{human: human, session: session, via: via, ask: ask}
}

type lineKey struct{}

// WithLine makes the calls of ctx ask over a line.
func WithLine(ctx context.Context, l *Line) context.Context {
	return context.WithValue(ctx, lineKey{}, l)
}

// ExtendLine makes the calls of to ask over the line of from, for a sub-agent
// that works in a session of its own. Without a line to is returned as it is.
func ExtendLine(from, to context.Context, session string) context.Context {
	l, _ := from.Value(lineKey{}).(*Line)
	if l == nil || l.client {
		return to
	}
	child := *l
	child.session, child.below = session, true
	return WithLine(to, &child)
}

// lineFor is the line of ctx when the petition is one of its turn and its human
// may say yes at all; else nil, and the call waits for another approver.
func lineFor(ctx context.Context, p toolpolicy.Petition) *Line {
	l, _ := ctx.Value(lineKey{}).(*Line)
	c := p.Caller()
	if l == nil || l.ask == nil || !l.covers(p) || p.Session() != l.session ||
		c.Tenant() != l.human.Tenant() || c.Principal() != l.human.Principal() || c.Credential() != l.human.Credential() ||
		!l.mayAllow() {
		return nil
	}
	return l
}

func (l *Line) surface() toolpolicy.Surface {
	if l.below {
		return toolpolicy.SurfaceSubagent
	}
	return toolpolicy.SurfaceACP
}

func (l *Line) mayAllow() bool {
	return l.human.Has(gateway.ScopeApprovals) || l.human.Owner() && !l.client
}

// stamp marks a request as asked over a line, before anybody can answer it.
func (b *Book) stamp(id string, l *Line) {
	if l == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines[id] = l
}

func (b *Book) lineOf(id string) *Line {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines[id]
}

// await waits for a decision. A request that was asked over a line is shown
// there meanwhile; another approver may still be faster.
func (d *Desk) await(ctx context.Context, r Request) error {
	l := d.Book.lineOf(r.ID)
	if l == nil {
		return d.Book.Wait(ctx, r)
	}
	shown, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.show(shown, l, r)
	}()
	err := d.Book.Wait(ctx, r)
	cancel()
	<-over
	return err
}

// show asks over a line and takes the answer down. No answer is a no.
func (d *Desk) show(ctx context.Context, l *Line, r Request) {
	a, err := l.ask(ctx, r)
	if ctx.Err() != nil {
		return // decided elsewhere, or the caller is gone, which is a no
	}
	if err != nil {
		a = Answer{Note: "no answer"}
	}
	if a.Allow && d.Live != nil && !d.Live(l.human) {
		a = Answer{Note: "the credential ended"}
	}
	end := context.WithoutCancel(ctx)
	if err := d.Book.answer(end, l, r, a); err != nil && !errors.Is(err, ErrSettled) {
		_ = d.Book.answer(end, l, r, Answer{Note: "refused"}) // what may not be allowed is a no
	}
}

// answer takes what was said over a line about the request that was shown
// there.
func (b *Book) answer(ctx context.Context, l *Line, shown Request, a Answer) error {
	r, err := b.get(ctx, l.human.Tenant(), shown.ID)
	if err != nil {
		return err
	}
	switch {
	case b.lineOf(r.ID) != l || r.Asker != l.human.Principal() || r.credential != l.human.Credential():
		err = fmt.Errorf("%w: it was not asked over this connection", ErrForbidden)
	case a.Allow && !l.mayAllow():
		err = ErrForbidden
	case r.Digest != shown.Digest:
		err = ErrVoid
	case r.State != StatePending || b.late(r):
		err = ErrSettled
	case a.For > 0 && (l.client || l.below || !toolpolicy.MayStand(r.Tool)):
		err = fmt.Errorf("%w: %s is asked about each time", ErrForbidden, r.Tool)
	case a.For > 0 && a.Pattern != "":
		err = fmt.Errorf("%w: a yes stands for the very same call only", ErrForbidden)
	}
	if err != nil {
		if a.Allow {
			err = errors.Join(err, b.recordVia(ctx, "refused", r, r.State, l.human.Principal(), err.Error(), l.via))
		}
		return err
	}
	return b.say(ctx, l.human, r, a, l.via)
}

// standingDigest keeps what stands over ACP apart from what stands elsewhere.
func standingDigest(surface, digest string) string {
	if surface == string(toolpolicy.SurfaceACP) {
		return "acp:" + digest
	}
	return digest
}
