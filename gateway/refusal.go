package gateway

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Reason says why the guard refused; the journal and the metrics use it.
type Reason string

// The reasons.
const (
	ReasonHost        Reason = "host_not_allowed"
	ReasonQuery       Reason = "credential_in_query"
	ReasonAttribution Reason = "proxy_attribution_required"
	ReasonOrigin      Reason = "origin_not_allowed"
	ReasonLocked      Reason = "rate_limited"
	ReasonMissing     Reason = "credential_missing"
	ReasonWrong       Reason = "credential_wrong"
	ReasonIdentity    Reason = "identity_refused"
	ReasonUnavailable Reason = "identity_unavailable"
	ReasonRevoked     Reason = "credential_revoked"
	ReasonScope       Reason = "scope_missing"
)

// Refusal is the guard's no. Its texts are safe to send.
type Refusal struct {
	Reason     Reason
	Status     int
	Type       string // error.type on the wire
	Message    string // error.message on the wire
	RetryAfter time.Duration
	Missing    Scope         // with ReasonScope
	Held       Scope         // with ReasonScope: what the caller has
	Delay      time.Duration // hold the answer back this long; see Guard.Hold
	key        limitKey
}

// Error makes a refusal usable as an error.
func (r *Refusal) Error() string { return r.Message }

// RetryAfterSeconds is the value of Retry-After, rounded up.
func (r *Refusal) RetryAfterSeconds() string {
	return strconv.Itoa(int(math.Ceil(r.RetryAfter.Seconds())))
}

func refuse(reason Reason) *Refusal {
	switch reason {
	case ReasonHost:
		return &Refusal{Reason: reason, Status: http.StatusMisdirectedRequest, Type: string(reason), Message: "This gateway does not answer to that Host; list it under gateway.allowedHosts if it should."}
	case ReasonQuery:
		return &Refusal{Reason: reason, Status: http.StatusBadRequest, Type: "invalid_request_error", Message: "Credentials are not accepted in the query string; send them in the Authorization header."}
	case ReasonAttribution:
		return &Refusal{Reason: reason, Status: http.StatusForbidden, Type: string(reason), Message: "Forwarding headers are accepted only from gateway.trustedProxies and must name the client."}
	case ReasonOrigin:
		return &Refusal{Reason: reason, Status: http.StatusForbidden, Type: string(reason), Message: "Origin not allowed; list it under gateway.controlUi.allowedOrigins if it should be."}
	case ReasonLocked:
		return &Refusal{Reason: reason, Status: http.StatusTooManyRequests, Type: string(reason), Message: "Too many failed authentication attempts. Please try again later."}
	case ReasonUnavailable:
		return &Refusal{Reason: reason, Status: http.StatusServiceUnavailable, Type: "unavailable", Message: "Identity cannot be verified right now; try again shortly."}
	}
	return &Refusal{Reason: reason, Status: http.StatusUnauthorized, Type: "unauthorized", Message: "Unauthorized"}
}

func refuseScope(missing, held Scope) *Refusal {
	return &Refusal{
		Reason: ReasonScope, Status: http.StatusForbidden, Type: "forbidden",
		Message: "missing scope: " + missing.String(), Missing: missing, Held: held,
	}
}

// StartError is a configuration that the gateway refuses to start with.
type StartError struct {
	Code    int // exit code: 78 for an unsafe configuration, 1 for unusable secrets
	Message string
	Hint    string // what to do instead
}

// Error is the message.
func (e *StartError) Error() string { return e.Message }

// ExitCode is the process's exit code.
func (e *StartError) ExitCode() int { return e.Code }

// Exit codes of StartError.
const (
	exitSecrets = 1
	exitConfig  = 78
)

func startRefusal(code int, msg, hint string) error {
	return &StartError{Code: code, Message: msg, Hint: hint}
}
