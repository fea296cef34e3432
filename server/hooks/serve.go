package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/chitin-sh/chitin/gateway"
)

const bodyTime = 15 * time.Second

// form is what a body must look like.
type form struct {
	limit int
	json  bool
}

var (
	jsonForm = form{256 << 10, true}
	mailForm = form{8 << 20, false} // a message as it was received
)

type action func(ctx context.Context, caller gateway.Caller, body []byte) answer

// serve reads the body, acts once per idempotency key, and answers.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, caller gateway.Caller, f form, act action) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTime)) // not supported in tests without a socket
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(f.limit)+1))
	_ = rc.SetReadDeadline(time.Time{})
	if len(body) > f.limit {
		w.Header().Set("Connection", "close")
		write(w, failed(http.StatusRequestEntityTooLarge, "payload too large"))
		return
	}
	if err != nil {
		w.Header().Set("Connection", "close")
		write(w, failed(http.StatusRequestTimeout, "the body could not be read in time"))
		return
	}
	var shape struct {
		IdempotencyKey string `json:"idempotencyKey"`
	}
	if f.json {
		if err := json.Unmarshal(body, &shape); err != nil {
			write(w, failed(http.StatusBadRequest, parseText(err)))
			return
		}
	}
	key, ok := idempotencyKey(r.Header, shape.IdempotencyKey)
	if !ok {
		write(w, failed(http.StatusBadRequest, fmt.Sprintf("one idempotency key of at most %d characters", maxKey)))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	grip, alive := h.deps.Guard.Track(caller, cancel)
	if !alive {
		text(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	defer grip.Release()
	if key == "" {
		write(w, act(ctx, caller, body))
		return
	}
	res, replayed := h.replays.once(ctx, r.URL.Path, key, body, func() answer { return act(ctx, caller, body) })
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	write(w, res)
}

func parseText(err error) string {
	var te *json.UnmarshalTypeError
	if errors.As(err, &te) {
		return "the body must be a JSON object"
	}
	return err.Error()
}

// idempotencyKey is the one key of a request; two different ones are refused.
func idempotencyKey(h http.Header, inBody string) (string, bool) {
	key := strings.TrimSpace(inBody)
	for _, name := range []string{"Idempotency-Key", "X-Openclaw-Idempotency-Key"} {
		for _, v := range h.Values(name) {
			v = strings.TrimSpace(v)
			if v == "" || key != "" && key != v {
				return "", false
			}
			key = v
		}
	}
	return key, len(key) <= maxKey
}

func write(w http.ResponseWriter, a answer) {
	raw, err := json.Marshal(a.body)
	if err != nil {
		a.code, raw = http.StatusInternalServerError, []byte(`{"ok":false,"error":"hook failed"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.code)
	_, _ = w.Write(raw)
}

type wakeBody struct {
	Text       string  `json:"text"`
	Mode       string  `json:"mode"`
	AgentID    *string `json:"agentId"`
	SessionKey *string `json:"sessionKey"`
}

func (h *Handler) wake(ctx context.Context, caller gateway.Caller, body []byte) answer {
	var b wakeBody
	if err := decode(body, &b); err != nil {
		return failed(http.StatusBadRequest, err.Error())
	}
	if strings.TrimSpace(b.Text) == "" {
		return failed(http.StatusBadRequest, "text required")
	}
	if b.Mode != "next-heartbeat" {
		b.Mode = "now"
	}
	agent, session, err := h.place(b.AgentID, b.SessionKey)
	if err != nil {
		return failed(http.StatusBadRequest, err.Error())
	}
	outcome, err := h.deps.Target.Wake(ctx, caller, Wake{Text: b.Text, Mode: b.Mode, AgentID: agent, SessionKey: session})
	if err != nil {
		return h.failure(err, agent)
	}
	return answer{http.StatusOK, map[string]any{"ok": true, "mode": b.Mode, "eventOutcome": outcome}}
}

type agentBody struct {
	Message        string  `json:"message"`
	Name           string  `json:"name"`
	AgentID        *string `json:"agentId"`
	SessionKey     *string `json:"sessionKey"`
	SessionMode    string  `json:"sessionMode"`
	WakeMode       string  `json:"wakeMode"`
	Deliver        bool    `json:"deliver"`
	Channel        string  `json:"channel"`
	To             string  `json:"to"`
	AccountID      string  `json:"accountId"`
	Model          string  `json:"model"`
	Thinking       string  `json:"thinking"`
	TimeoutSeconds int     `json:"timeoutSeconds"`
	Wait           bool    `json:"waitForCompletion"`
}

func (h *Handler) agent(ctx context.Context, caller gateway.Caller, body []byte) answer {
	var b agentBody
	if err := decode(body, &b); err != nil {
		return failed(http.StatusBadRequest, err.Error())
	}
	if strings.TrimSpace(b.Message) == "" {
		return failed(http.StatusBadRequest, "message required")
	}
	agent, session, err := h.place(b.AgentID, b.SessionKey)
	if err != nil {
		return failed(http.StatusBadRequest, err.Error())
	}
	if b.SessionMode != "persistent" {
		b.SessionMode = "isolated"
	}
	extra, err := h.deps.Target.Agent(ctx, caller, Agent{
		Message: b.Message, Name: b.Name, AgentID: agent, SessionKey: session, SessionMode: b.SessionMode,
		WakeMode: b.WakeMode, Deliver: b.Deliver, Channel: b.Channel, To: b.To, AccountID: b.AccountID,
		Model: b.Model, Thinking: b.Thinking, TimeoutSeconds: max(0, min(b.TimeoutSeconds, 24*3600)), Wait: b.Wait,
	})
	if err != nil {
		return h.failure(err, agent)
	}
	out := map[string]any{"ok": true}
	for k, v := range extra {
		if k != "ok" {
			out[k] = v
		}
	}
	return answer{http.StatusOK, out}
}

// mail takes a message as a mail server delivers it.
func (h *Handler) mail(ctx context.Context, caller gateway.Caller, body []byte) answer {
	agent, session, err := h.place(nil, nil)
	if err != nil {
		return failed(http.StatusBadRequest, err.Error())
	}
	extra, err := h.deps.Target.Mail(ctx, caller, Mail{Raw: body, AgentID: agent, SessionKey: session})
	if err != nil {
		return h.failure(err, agent)
	}
	extra["ok"] = true
	return answer{http.StatusOK, extra}
}

func (h *Handler) failure(err error, agent string) answer {
	if errors.Is(err, ErrNotMail) {
		return failed(http.StatusBadRequest, "the body is not a mail message")
	}
	if errors.Is(err, ErrUnknownAgent) {
		return failed(http.StatusBadRequest, fmt.Sprintf("unknown agentId %q", agent))
	}
	h.deps.Log.Warn("webhook failed", "err", err)
	return failed(http.StatusInternalServerError, "hook failed")
}

// place decides which agent and session a webhook reaches. A name that is
// given and blank is refused, not treated as absent.
func (h *Handler) place(agentID, sessionKey *string) (agent, session string, err error) {
	cfg := h.deps.Config()
	agent = h.deps.DefaultAgent()
	if agentID != nil {
		if agent = *agentID; !plainName(agent) {
			return "", "", errors.New("agentId is blank or malformed")
		}
	}
	if cfg.AllowedAgentIDs != nil && !slices.Contains(cfg.AllowedAgentIDs, agent) {
		return "", "", errors.New("agentId is not allowed by hooks.allowedAgentIds")
	}
	session = cfg.DefaultSessionKey
	if sessionKey == nil {
		return agent, session, nil
	}
	if !cfg.AllowRequestSessionKey {
		return "", "", errors.New("sessionKey is disabled for externally supplied webhooks; set hooks.allowRequestSessionKey to allow it")
	}
	if !plainName(*sessionKey) {
		return "", "", errors.New("sessionKey is blank or malformed")
	}
	if cfg.AllowedSessionKeyPrefixes != nil && !hasPrefix(*sessionKey, cfg.AllowedSessionKeyPrefixes) {
		return "", "", fmt.Errorf("sessionKey must start with one of: %s", strings.Join(cfg.AllowedSessionKeyPrefixes, ", "))
	}
	return agent, *sessionKey, nil
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return p != "" && strings.HasPrefix(s, p) })
}

// plainName reports whether a name is visible text without spaces of any kind.
func plainName(s string) bool {
	return s != "" && len(s) <= maxKey && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
	})
}

// decode reads the body. Unknown fields are dropped: senders add their own.
func decode(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(into); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			return fmt.Errorf("%s must be %s", te.Field, te.Type)
		}
		return err
	}
	return nil
}
