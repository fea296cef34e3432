package mcpclient

import "time"

// State says whether a tool of a server can be used.
type State string

// The states of a tool.
const (
	StateApproved State = "approved"
	StateNew      State = "new"     // waits for its first approval
	StateChanged  State = "changed" // quarantined: it is not what was approved
	StateRefused  State = "refused" // its name or schema cannot be taken
	StateGone     State = "gone"    // the server does not offer it any more
)

// Version is what a server said of a tool at a time.
type Version struct {
	Digest     string     `json:"digest"`
	Definition Definition `json:"definition"`
	At         time.Time  `json:"at"`
	By         string     `json:"by,omitempty"` // who approved it
}

// Pin is one tool of one server for one tenant.
type Pin struct {
	Tenant  string
	Server  string
	Tool    string // the server's own name
	Mounted string // its name here; empty when it has none
	Seen    Version
	Pinned  *Version // what was approved; nil before
	Present bool     // on the server's newest list
	Problem string   // why it is refused
}

// State is decided by digests alone.
func (p Pin) State() State {
	switch {
	case p.Problem != "":
		return StateRefused
	case !p.Present:
		return StateGone
	case p.Pinned == nil:
		return StateNew
	case p.Pinned.Digest != p.Seen.Digest:
		return StateChanged
	}
	return StateApproved
}

// Usable reports whether calls may go through.
func (p Pin) Usable() bool { return p.State() == StateApproved }

// Quarantined reports whether a human has to look at it.
func (p Pin) Quarantined() bool { s := p.State(); return s == StateNew || s == StateChanged }

// Same reports whether two pins say the same.
func (p Pin) Same(o Pin) bool {
	pinned := func(v *Version) string {
		if v == nil {
			return ""
		}
		return v.Digest
	}
	return p.Mounted == o.Mounted && p.Seen.Digest == o.Seen.Digest && pinned(p.Pinned) == pinned(o.Pinned) && p.Present == o.Present && p.Problem == o.Problem
}

// Names gives every pin of one server its name here. A tool whose name cannot
// be had is refused, and so are all that would share one.
func Names(server string, pins []Pin) {
	taken := map[string][]int{}
	for i := range pins {
		p := &pins[i]
		p.Mounted, p.Problem = "", ""
		name, err := Mount(server, p.Tool)
		if err == nil {
			err = p.Seen.Definition.Check()
		}
		if err != nil {
			p.Problem = err.Error()
			continue
		}
		p.Mounted = name
		if p.Present {
			taken[name] = append(taken[name], i)
		}
	}
	for name, same := range taken {
		if len(same) < 2 {
			continue
		}
		for _, i := range same {
			pins[i].Problem = "several of its tools would be called " + name
		}
	}
}
