package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/mcpclient"
)

// maxBook bounds what is remembered of one server, gone tools included.
const maxBook = 512

// observe compares what a server says of its tools with what was approved.
// After it no tool that is new or has changed can be used.
func (h *Hub) observe(ctx context.Context, k key, s mcpclient.Server, defs []mcpclient.Definition) error {
	h.writing.Lock()
	events, moved, err := h.take(ctx, k, s, defs)
	h.writing.Unlock()
	if err != nil {
		return err
	}
	for _, e := range events {
		h.event(e)
	}
	if moved {
		h.changed()
	}
	return nil
}

// take is observe without its echoes; h.writing is held.
func (h *Hub) take(ctx context.Context, k key, s mcpclient.Server, defs []mcpclient.Definition) (events []Event, moved bool, err error) {
	first, err := h.o.Pins.FirstContact(ctx, k.tenant, k.server, time.Now())
	if err != nil {
		return nil, false, err
	}
	h.mu.Lock()
	old := h.book[k]
	h.mu.Unlock()
	next, err := merge(k, old, defs)
	if err != nil {
		return nil, false, err
	}
	mcpclient.Names(k.server, next)
	for i := range next {
		p := &next[i]
		if first && s.FirstUse() && s.Tools.Offers(p.Tool) && p.State() == mcpclient.StateNew {
			if bad := p.Seen.Definition.Suspicious(); len(bad) == 0 {
				v := p.Seen
				v.At, v.By = time.Now(), "first use"
				p.Pinned = &v
				events = append(events, Event{Kind: "approved", Tenant: k.tenant, Server: k.server, Tool: p.Mounted, By: "first use", Digest: p.Seen.Digest})
			}
		}
	}
	events = fewer(append(events, h.newlyQuarantined(k, s, old, next)...))
	write := difference(old, next)
	if err := h.o.Pins.Put(ctx, write); err != nil {
		return nil, false, err // nothing was taken: the tools stay as they were known
	}
	h.mu.Lock()
	h.book[k] = next
	h.reindex()
	h.mu.Unlock()
	return events, len(write) > 0 || len(old) == 0, nil
}

// maxEvents bounds the records that one list makes.
const maxEvents = 64

// fewer says of a long list of events only how many there were.
func fewer(events []Event) []Event {
	if len(events) <= maxEvents {
		return events
	}
	last := events[maxEvents-1]
	last.Tool, last.Digest, last.Text = mcpclient.Source(last.Server), "", fmt.Sprintf("and %d more of its tools", len(events)-maxEvents+1)
	return append(events[:maxEvents-1], last)
}

// merge is the book with what was seen now.
func merge(k key, old []mcpclient.Pin, defs []mcpclient.Definition) ([]mcpclient.Pin, error) {
	now := time.Now()
	next := make([]mcpclient.Pin, 0, len(defs))
	here := map[string]bool{}
	known := map[string]mcpclient.Pin{}
	for _, p := range old {
		known[p.Tool] = p
	}
	for _, d := range defs {
		digest, err := d.Digest()
		if err != nil {
			return nil, err
		}
		if len(d.Name) > 256 {
			return nil, fmt.Errorf("a tool's name is longer than 256 bytes")
		}
		p := known[d.Name]
		p.Tenant, p.Server, p.Tool, p.Present = k.tenant, k.server, d.Name, true
		if p.Seen.Digest != digest {
			p.Seen = mcpclient.Version{Digest: digest, Definition: d, At: now}
		}
		here[d.Name] = true
		next = append(next, p)
	}
	for _, p := range old {
		if !here[p.Tool] && len(next) < maxBook {
			p.Present = false
			next = append(next, p)
		}
	}
	slices.SortFunc(next, func(a, b mcpclient.Pin) int { return strings.Compare(a.Tool, b.Tool) })
	return next, nil
}

// newlyQuarantined are the events for tools that a human now has to look at.
func (h *Hub) newlyQuarantined(k key, s mcpclient.Server, old, now []mcpclient.Pin) []Event {
	was := map[string]mcpclient.Pin{}
	for _, p := range old {
		was[p.Tool] = p
	}
	var out []Event
	for _, p := range now {
		if !s.Tools.Offers(p.Tool) {
			continue
		}
		before, known := was[p.Tool]
		same := known && before.State() == p.State() && before.Seen.Digest == p.Seen.Digest && before.Problem == p.Problem
		if same {
			continue
		}
		name := p.Mounted
		if name == "" {
			name = mcpclient.Source(k.server)
		}
		e := Event{Tenant: k.tenant, Server: k.server, Tool: name, Digest: p.Seen.Digest}
		switch p.State() {
		case mcpclient.StateChanged:
			e.Kind, e.Text = "quarantined", "it is not what was approved"
		case mcpclient.StateNew:
			e.Kind, e.Text = "quarantined", "it waits for its first approval"
		case mcpclient.StateRefused:
			e.Kind, e.Text = "refused", p.Problem
		default:
			continue
		}
		if bad := p.Seen.Definition.Suspicious(); len(bad) > 0 {
			e.Text += "; its texts look like an attack: " + strings.Join(bad, ", ")
		}
		out = append(out, e)
	}
	return out
}

// difference is the pins that have to be written.
func difference(old, now []mcpclient.Pin) []mcpclient.Pin {
	was := map[string]mcpclient.Pin{}
	for _, p := range old {
		was[p.Tool] = p
	}
	var out []mcpclient.Pin
	for _, p := range now {
		if before, ok := was[p.Tool]; !ok || !before.Same(p) {
			out = append(out, p)
		}
	}
	return out
}
