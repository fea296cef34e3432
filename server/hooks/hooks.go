// Package hooks is the webhook surface: it proves the hook's token, limits
// guesses, refuses replays, decodes, and hands what came in to the agent.
package hooks

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/problem"
	"github.com/chitin-sh/chitin/secrets"
)

// Config is the key "hooks" of the configuration.
type Config struct {
	Enabled                   bool          `yaml:"enabled,omitempty" doc:"Accept webhooks."`
	Token                     secrets.Field `yaml:"token,omitempty" doc:"Token that webhooks must send, as a reference. Must differ from the gateway's."`
	Path                      string        `yaml:"path,omitempty" default:"/hooks" doc:"Path below which webhooks are accepted."`
	DefaultSessionKey         string        `yaml:"defaultSessionKey,omitempty" doc:"Session of webhooks that name none."`
	AllowRequestSessionKey    bool          `yaml:"allowRequestSessionKey,omitempty" doc:"Let webhooks name their session."`
	AllowedSessionKeyPrefixes []string      `yaml:"allowedSessionKeyPrefixes,omitempty" doc:"What a session named by a webhook must begin with. Absent means anything; an empty list means none."`
	AllowedAgentIDs           []string      `yaml:"allowedAgentIds,omitempty" doc:"Agents that webhooks may reach. Absent means all; an empty list means none."`
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() []problem.Problem {
	var out []problem.Problem
	add := func(path, msg, hint string) {
		out = append(out, problem.Problem{Path: path, Message: msg, Hint: hint})
	}
	if !c.Enabled {
		return nil
	}
	if c.Token.Ref == nil && c.Token.Literal.IsZero() {
		add("token", "hooks are enabled and have no token", "reference one, for example ${CHITIN_HOOK_TOKEN}")
	}
	if p := strings.TrimRight(c.Path, "/"); c.Path != "" && (p == "" || !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "%{}*?#;\\ ") || strings.Contains(p, "//")) {
		add("path", "must be a plain path other than /", "write /hooks or remove the key")
	}
	if c.DefaultSessionKey != "" && c.AllowedSessionKeyPrefixes != nil && !hasPrefix(c.DefaultSessionKey, c.AllowedSessionKeyPrefixes) {
		add("defaultSessionKey", "does not begin with any of allowedSessionKeyPrefixes", "change one of the two")
	}
	return out
}

// Wake is a text that the agent should notice.
type Wake struct {
	Text       string
	Mode       string // now or next-heartbeat
	AgentID    string
	SessionKey string
}

// Agent is a message that starts an agent's turn.
type Agent struct {
	Message        string
	Name           string
	AgentID        string
	SessionKey     string
	SessionMode    string // isolated or persistent
	WakeMode       string
	Deliver        bool
	Channel, To    string
	AccountID      string
	Model          string
	Thinking       string
	TimeoutSeconds int
	Wait           bool // answer only when the turn is over
}

// Target takes what came in. All text in it is from outside: the target must
// label and wrap it as external content. caller has no ownership.
type Target interface {
	// Wake returns "queued" or "coalesced".
	Wake(ctx context.Context, caller gateway.Caller, w Wake) (outcome string, err error)
	// Agent returns what the answer carries beside ok, such as a run id.
	Agent(ctx context.Context, caller gateway.Caller, a Agent) (map[string]any, error)
	// Mail returns what the answer carries beside ok; ErrNotMail when the body
	// is no message.
	Mail(ctx context.Context, caller gateway.Caller, m Mail) (map[string]any, error)
}

// Mail is a message as it was received.
type Mail struct {
	Raw        []byte
	AgentID    string
	SessionKey string
}

// ErrNotMail is how a Target answers for a body that is no mail.
var ErrNotMail = errors.New("not a mail message")

// ErrUnknownAgent is how a Target answers for an agent that is not configured.
var ErrUnknownAgent = errors.New("unknown agent")

// Deps is what the surface needs. Guard, Config, Token and Target are required.
type Deps struct {
	Guard  *gateway.Guard
	Config func() Config        // as it is now
	Token  func() secrets.Value // as it is now: a rotated token dies at once
	Target Target
	// DefaultAgent is the agent of requests that name none.
	DefaultAgent func() string
	Now          func() time.Time // nil: time.Now
	Log          *slog.Logger
}

// Handler is the webhook surface. Serve it below Config.Path.
type Handler struct {
	deps    Deps
	limit   *gateway.Budget
	replays *replays
}

// New makes the surface.
func New(d Deps) *Handler {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.DefaultAgent == nil {
		d.DefaultAgent = func() string { return "" }
	}
	return &Handler{deps: d, limit: d.Guard.NewBudget(maxFailures, failWindow, failLockout), replays: newReplays(d.Now)}
}

// Route is how the guard screens webhooks.
var route = gateway.Route{Path: "/hooks/*", Methods: []string{http.MethodPost}, Auth: gateway.AuthOwn}

// ServeHTTP proves the token, then decodes and hands over.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client, ref := h.deps.Guard.Screen(r, &route)
	if ref != nil {
		text(w, ref.Status, ref.Message)
		return
	}
	cfg := h.deps.Config()
	sub, ok := subPath(r.URL.Path, cfg.Path)
	if !cfg.Enabled || !ok {
		text(w, http.StatusNotFound, "Not Found")
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		text(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	caller, ok := h.prove(w, r, client)
	if !ok {
		return
	}
	switch sub {
	case "wake":
		h.serve(w, r, caller, jsonForm, h.wake)
	case "agent":
		h.serve(w, r, caller, jsonForm, h.agent)
	case "mail":
		h.serve(w, r, caller, mailForm, h.mail)
	default:
		text(w, http.StatusNotFound, "Not Found")
	}
}

func subPath(path, base string) (string, bool) {
	if base == "" {
		base = "/hooks"
	}
	return strings.CutPrefix(path, strings.TrimRight(base, "/")+"/")
}

// prove checks the token inside the limiter: a guess is counted before the
// next one is compared, and during a lockout nothing is compared at all.
func (h *Handler) prove(w http.ResponseWriter, r *http.Request, client gateway.Client) (gateway.Caller, bool) {
	var caller gateway.Caller
	presented := presentedToken(r.Header)
	ok, wait := h.limit.Try(client, func() bool {
		var right bool
		caller, right = h.deps.Guard.ProveHook(presented, h.deps.Token())
		return right
	})
	switch {
	case wait > 0:
		w.Header().Set("Retry-After", seconds(wait))
		text(w, http.StatusTooManyRequests, "Too Many Requests")
	case !ok:
		text(w, http.StatusUnauthorized, "Unauthorized")
	}
	return caller, ok
}

// presentedToken is the one token of a request; several present none.
func presentedToken(h http.Header) string {
	bearer, own := h.Values("Authorization"), h.Values("X-Chitin-Token")
	own = append(own, h.Values("X-Openclaw-Token")...)
	switch {
	case len(bearer) == 1 && len(own) == 0:
		scheme, rest, _ := strings.Cut(bearer[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			return strings.TrimSpace(rest)
		}
	case len(bearer) == 0 && len(own) == 1:
		return strings.TrimSpace(own[0])
	}
	return ""
}

func text(w http.ResponseWriter, code int, msg string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(msg))
}
