package wsapi

import (
	"slices"

	"github.com/chitin-sh/chitin/gateway"
)

// protocol is the version that this surface speaks; probes may ask with 3.
const (
	protocol      = 4
	probeProtocol = 3
)

// connectParams are the parameters of the first request.
type connectParams struct {
	MinProtocol int             `json:"minProtocol"`
	MaxProtocol int             `json:"maxProtocol"`
	Client      clientInfo      `json:"client"`
	Role        string          `json:"role"`
	Scopes      *[]string       `json:"scopes"`
	Caps        []string        `json:"caps"`
	Commands    []string        `json:"commands"`
	Permissions map[string]bool `json:"permissions"`
	PathEnv     string          `json:"pathEnv"`
	Auth        *connectAuth    `json:"auth"`
	Locale      string          `json:"locale"`
	UserAgent   string          `json:"userAgent"`
	Device      *device         `json:"device"`
}

type clientInfo struct {
	ID              string `json:"id"`
	DisplayName     string `json:"displayName"`
	Version         string `json:"version"`
	Platform        string `json:"platform"`
	DeviceFamily    string `json:"deviceFamily"`
	ModelIdentifier string `json:"modelIdentifier"`
	Mode            string `json:"mode"`
	InstanceID      string `json:"instanceId"`
}

type connectAuth struct {
	Token          string `json:"token"`
	Password       string `json:"password"`
	DeviceToken    string `json:"deviceToken"`
	BootstrapToken string `json:"bootstrapToken"`
}

// secret is the one secret that is checked. Whatever slot it comes in, it is
// one attempt against the same budget.
func (a *connectAuth) secret() string {
	if a == nil {
		return ""
	}
	for _, s := range []string{a.Token, a.Password, a.DeviceToken, a.BootstrapToken} {
		if s != "" {
			return s
		}
	}
	return ""
}

var clientIDs = []string{
	"webchat-ui", "openclaw-control-ui", "openclaw-browser-copilot", "openclaw-tui", "webchat", "cli", "gateway-client",
	"openclaw-macos", "openclaw-linux", "openclaw-ios", "openclaw-watchos", "openclaw-android", "node-host",
	"openclaw-worker", "test", "fingerprint", "openclaw-probe", "chitin-cli", "chitin-control-ui",
}

var clientModes = []string{"webchat", "cli", "ui", "backend", "node", "worker", "probe", "test"}

// parseConnect reads and checks the first request.
func parseConnect(r request) (*connectParams, *wireError) {
	if r.Method != "connect" {
		return nil, invalid("invalid handshake: first request must be connect")
	}
	var p connectParams
	if err := strict(r.Params, &p); err != nil {
		return nil, invalid("invalid connect params: %s", err)
	}
	switch {
	case !slices.Contains(clientIDs, p.Client.ID):
		return nil, invalid("invalid connect params: at /client/id: must be equal to one of the allowed values")
	case !slices.Contains(clientModes, p.Client.Mode):
		return nil, invalid("invalid connect params: at /client/mode: must be equal to one of the allowed values")
	case p.Client.Version == "" || p.Client.Platform == "":
		return nil, invalid("invalid connect params: at /client: version and platform are required")
	case p.MinProtocol < 1 || p.MaxProtocol < 1:
		return nil, invalid("invalid connect params: at /minProtocol: must be >= 1")
	}
	if p.Role == "" {
		p.Role = "operator"
	}
	return &p, nil
}

// checkVersion accepts ranges that include 4, and probes that stop at 3.
func (p *connectParams) checkVersion() *wireError {
	lowest := protocol
	if p.Client.Mode == "probe" {
		lowest = probeProtocol
	}
	if p.MinProtocol <= protocol && p.MaxProtocol >= lowest && p.MinProtocol <= p.MaxProtocol {
		return nil
	}
	e := invalid("protocol mismatch")
	e.Details = map[string]any{
		"code": "PROTOCOL_MISMATCH", "clientMin": p.MinProtocol, "clientMax": p.MaxProtocol,
		"expectedProtocol": protocol, "minimumProbeProtocol": probeProtocol,
	}
	return e
}

func (p *connectParams) checkRole() *wireError {
	switch p.Role {
	case "operator":
		return nil
	case "node", "worker":
		return &wireError{Code: codeNotPaired, Message: "this gateway has no nodes", Details: map[string]any{"code": "DEVICE_IDENTITY_REQUIRED"}}
	}
	return invalid("invalid role")
}

// narrow keeps what the client asked for of what the server gave. Names that
// are no scopes grant nothing; an empty list leaves nothing.
func (p *connectParams) narrow(c gateway.Caller) gateway.Caller {
	if p.Scopes == nil {
		return c
	}
	return c.Narrow(gateway.Declared(*p.Scopes), true)
}

// authError is the wire's form of the guard's refusal.
func authError(ref *gateway.Refusal, presented bool) *wireError {
	details := map[string]any{"code": "AUTH_TOKEN_MISMATCH", "authReason": "token_mismatch", "canRetryWithDeviceToken": false, "recommendedNextStep": "check_credentials"}
	switch ref.Reason {
	case gateway.ReasonLocked:
		return &wireError{
			Code: codeInvalid, Message: "unauthorized: too many failed authentication attempts (retry later)",
			Details: map[string]any{"code": "AUTH_RATE_LIMITED", "authReason": "rate_limited"}, Retryable: true, RetryAfterMs: ref.RetryAfter.Milliseconds(),
		}
	case gateway.ReasonUnavailable:
		return &wireError{Code: codeUnavailable, Message: ref.Message, Retryable: true}
	}
	if !presented {
		return &wireError{Code: codeNotPaired, Message: "unauthorized: a credential is required", Details: map[string]any{"code": "DEVICE_IDENTITY_REQUIRED", "authReason": "credential_missing"}}
	}
	return &wireError{Code: codeInvalid, Message: "unauthorized", Details: details}
}
