// Package session keeps what outlives a call: durable sessions, each owned by
// one tenant, with the integrity label that its content has given it.
package session

import (
	"errors"
	"fmt"
	"strings"
)

// MaxKey is the longest session key in bytes.
const MaxKey = 256

// DefaultName is the session name that an absent key means.
const DefaultName = "main"

// ErrBadKey says that a session key cannot be one.
var ErrBadKey = errors.New("session: bad key")

// Key names a session: agent:<id>:<name>.
type Key struct{ Agent, Name string }

// String is the key's canonical form.
func (k Key) String() string { return "agent:" + k.Agent + ":" + k.Name }

// Main reports whether this is an agent's main session, as opposed to one
// made for a sub-agent, a hook, cron or anything else in the background.
func (k Key) Main() bool {
	kind, _, _ := strings.Cut(k.Name, ":")
	switch kind {
	case "subagent", "cron", "hook", "acp", "node":
		return false
	}
	return true
}

// limited reports whether a session of this name always has an inherited
// policy.
func (k Key) limited() bool {
	kind, _, _ := strings.Cut(k.Name, ":")
	return kind == "subagent" || kind == "cron"
}

// ParseKey reads "", "main", "<name>" or "agent:<id>:<name>"; what names no
// agent belongs to agent.
func ParseKey(s, agent string) (Key, error) {
	k := Key{Agent: agent, Name: DefaultName}
	switch {
	case len(s) > MaxKey:
		return Key{}, fmt.Errorf("%w: longer than %d bytes", ErrBadKey, MaxKey)
	case s == "" || s == DefaultName || s == "global":
	case strings.HasPrefix(s, "agent:"):
		id, name, ok := strings.Cut(s[len("agent:"):], ":")
		if !ok || name == "" {
			return Key{}, fmt.Errorf("%w: want agent:<id>:<name>", ErrBadKey)
		}
		k = Key{Agent: id, Name: name}
	default:
		k.Name = s
	}
	if !ValidAgent(k.Agent) || !validName(k.Name) {
		return Key{}, fmt.Errorf("%w: use letters, digits and . _ - : @ / +", ErrBadKey)
	}
	return k, nil
}

// ValidAgent reports whether id can be an agent's id: lower-case letters,
// digits, - and _, at most 64.
func ValidAgent(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func validName(name string) bool {
	for _, c := range []byte(name) {
		alnum := (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
		if !alnum && strings.IndexByte("._-:@/+", c) < 0 {
			return false
		}
	}
	return name != "" && !strings.Contains(name, "..") && !strings.HasPrefix(name, "/")
}
