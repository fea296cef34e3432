package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/chitin-sh/chitin/mcpclient"
)

// Errors of the operator's requests.
var (
	ErrUnknown = errors.New("there is no such MCP server or tool for this tenant")
	ErrMoved   = errors.New("the tool is not what was looked at any more; look again")
	ErrTool    = errors.New("the tool cannot be approved")
)

// Status is how one server of a tenant stands.
type Status struct {
	Server      string     `json:"server"`
	Transport   string     `json:"transport"`
	State       string     `json:"state"` // idle, starting, ready, down, disabled
	Error       string     `json:"error,omitempty"`
	Failures    int        `json:"failures,omitempty"`
	Restarts    int        `json:"restarts,omitempty"`
	Next        *time.Time `json:"next,omitempty"`  // not started again before
	Since       *time.Time `json:"since,omitempty"` // ready since
	InFlight    int        `json:"inFlight"`
	Network     string     `json:"network,omitempty"`
	Pin         string     `json:"pin"`
	Tools       int        `json:"tools"`       // approved
	Quarantined int        `json:"quarantined"` // new or changed
	Refused     int        `json:"refused"`
}

// ToolStatus is one tool of a server. Its texts come from the server.
type ToolStatus struct {
	Server     string             `json:"server"`
	Tool       string             `json:"tool"`
	Mounted    string             `json:"mounted,omitempty"`
	State      mcpclient.State    `json:"state"`
	Problem    string             `json:"problem,omitempty"`
	Suspicious []string           `json:"suspicious,omitempty"`
	Seen       mcpclient.Version  `json:"seen"`
	Pinned     *mcpclient.Version `json:"pinned,omitempty"`
}

// Status lists the servers of a tenant.
func (h *Hub) Status(tenant string) []Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []Status{}
	for _, name := range slices.Sorted(maps.Keys(h.cfg.Servers)) {
		s := h.cfg.Servers[name]
		if !s.Serves(tenant) {
			continue
		}
		k := key{tenant, name}
		st := Status{Server: name, Transport: s.Kind(), State: string(idle), Pin: mcpclient.PinApprove}
		if s.Kind() == mcpclient.Stdio {
			if st.Network = s.Network; st.Network == "" {
				st.Network = "none"
			}
		}
		if s.FirstUse() {
			st.Pin = mcpclient.PinFirstUse
		}
		if !s.On() {
			st.State = "disabled"
		}
		if u := h.units[k]; u != nil {
			u.describe(&st)
		}
		for _, p := range h.book[k] {
			switch {
			case !s.Tools.Offers(p.Tool):
			case p.Usable():
				st.Tools++
			case p.Quarantined():
				st.Quarantined++
			case p.State() == mcpclient.StateRefused:
				st.Refused++
			}
		}
		out = append(out, st)
	}
	return out
}

func (u *unit) describe(st *Status) {
	u.mu.Lock()
	defer u.mu.Unlock()
	st.State, st.Error, st.Failures, st.Restarts, st.InFlight = string(u.state), u.lastErr, u.failures, u.restarts, u.inFlight
	switch u.state {
	case ready:
		since := u.since
		st.Since = &since
	case down:
		next := u.next
		st.Next = &next
	}
}

// Tools lists what a tenant's server says of its tools. With ask, the server
// is started if it is not running and asked anew.
func (h *Hub) Tools(ctx context.Context, tenant, server string, ask bool) ([]ToolStatus, error) {
	k := key{tenant, server}
	u := h.unit(k)
	if u == nil {
		return nil, ErrUnknown
	}
	if ask {
		if _, err := u.acquire(ctx); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	out := []ToolStatus{}
	for _, p := range h.book[k] {
		if !u.cfg.Tools.Offers(p.Tool) {
			continue
		}
		out = append(out, ToolStatus{Server: server, Tool: p.Tool, Mounted: p.Mounted, State: p.State(), Problem: p.Problem,
			Suspicious: p.Seen.Definition.Suspicious(), Seen: p.Seen, Pinned: p.Pinned})
	}
	return out, nil
}

// Approve pins a tool as it is seen now. digest is that of what the operator
// looked at; when the tool has changed since, nothing is approved.
func (h *Hub) Approve(ctx context.Context, tenant, server, toolName, digest, by string) error {
	return h.change(ctx, key{tenant, server}, toolName, func(p *mcpclient.Pin) (Event, error) {
		switch {
		case p.State() == mcpclient.StateRefused:
			return Event{}, fmt.Errorf("%w: %s", ErrTool, p.Problem)
		case !p.Present:
			return Event{}, fmt.Errorf("%w: the server does not offer it any more", ErrTool)
		case p.Seen.Digest != digest:
			return Event{}, ErrMoved
		}
		v := p.Seen
		v.At, v.By = time.Now(), by
		p.Pinned = &v
		return Event{Kind: "approved", Digest: digest, By: by}, nil
	})
}

// Revoke takes an approval back.
func (h *Hub) Revoke(ctx context.Context, tenant, server, toolName, by string) error {
	return h.change(ctx, key{tenant, server}, toolName, func(p *mcpclient.Pin) (Event, error) {
		p.Pinned = nil
		return Event{Kind: "revoked", Digest: p.Seen.Digest, By: by}, nil
	})
}

// change edits one pin, on disk first.
func (h *Hub) change(ctx context.Context, k key, toolName string, edit func(*mcpclient.Pin) (Event, error)) error {
	if h.unit(k) == nil {
		return ErrUnknown
	}
	h.writing.Lock()
	e, err := h.edit(ctx, k, toolName, edit)
	h.writing.Unlock()
	if err != nil {
		return err
	}
	h.event(e)
	h.changed()
	return nil
}

// edit is change without its echoes; h.writing is held.
func (h *Hub) edit(ctx context.Context, k key, toolName string, edit func(*mcpclient.Pin) (Event, error)) (Event, error) {
	h.mu.Lock()
	list := slices.Clone(h.book[k])
	h.mu.Unlock()
	i := slices.IndexFunc(list, func(p mcpclient.Pin) bool { return p.Tool == toolName })
	if i < 0 {
		return Event{}, ErrUnknown
	}
	e, err := edit(&list[i])
	if err != nil {
		return Event{}, err
	}
	if err := h.o.Pins.Put(ctx, list[i:i+1]); err != nil {
		return Event{}, err
	}
	h.mu.Lock()
	h.book[k] = list
	h.reindex()
	h.mu.Unlock()
	e.Tenant, e.Server, e.Tool = k.tenant, k.server, list[i].Mounted
	return e, nil
}

// Restart stops a tenant's server and forgets its failures; the next call
// starts it.
func (h *Hub) Restart(tenant, server string) error {
	k := key{tenant, server}
	if h.unit(k) == nil {
		return ErrUnknown
	}
	h.mu.Lock()
	u := h.units[k]
	delete(h.units, k)
	h.mu.Unlock()
	if u != nil {
		u.close("restarted on request")
	}
	return nil
}

// Counts are for metrics.
type Counts struct {
	Ready, Down, Quarantined int
	Quarantines, Restarts    int64
}

// Counts over all tenants.
func (h *Hub) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := Counts{Quarantines: h.quarantines.Load(), Restarts: h.restarts.Load()}
	for _, u := range h.units {
		u.mu.Lock()
		switch u.state {
		case ready:
			c.Ready++
		case down:
			c.Down++
		}
		u.mu.Unlock()
	}
	for k, list := range h.book {
		s, ok := h.cfg.Servers[k.server]
		if !ok || !s.On() {
			continue
		}
		for _, p := range list {
			if p.Quarantined() && s.Tools.Offers(p.Tool) {
				c.Quarantined++
			}
		}
	}
	return c
}
