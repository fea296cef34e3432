package secrets

import (
	"context"
	"errors"
)

// The codes of a reference that did not resolve. They are part of the audit's
// output and do not change.
const (
	CodeNotConfigured = "SECRET_PROVIDER_NOT_CONFIGURED"
	CodeInvalid       = "SECRET_PROVIDER_INVALID"
	CodePathInsecure  = "SECRET_PROVIDER_PATH_INSECURE"
	CodeNotFound      = "SECRET_REF_NOT_FOUND"
	CodeDenied        = "SECRET_REF_POLICY_DENIED"
	CodeRefInvalid    = "SECRET_REF_INVALID"
	CodeProviderError = "SECRET_REF_PROVIDER_ERROR"
	CodeContract      = "SECRET_REF_PROVIDER_CONTRACT"
	CodePlaceholder   = "SECRET_REF_REDACTED_VALUE"
)

// Error is why one reference did not resolve. It never holds a secret.
type Error struct {
	Code    string // one of the Code constants
	Message string // what is wrong
	Fix     string // what to do about it
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Fail makes an Error.
func Fail(code, message, fix string) *Error { return &Error{Code: code, Message: message, Fix: fix} }

// AsError finds the Error in err, or makes a provider error that says only
// that much: an unknown cause may quote what it read.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Fail(CodeProviderError, "the provider did not answer in time", "raise timeoutMs, or look why it hangs")
	}
	return Fail(CodeProviderError, "the provider failed", "run the provider by hand")
}

// Result is what a provider says about one id: a value or an error.
type Result struct {
	Value Value
	Err   *Error
}

// Provider resolves the ids of one configured place in a batch. It answers
// for every id, never waits beyond ctx and never puts a secret in an error.
type Provider interface {
	Resolve(ctx context.Context, ids []string) map[string]Result
}

// FailAll answers every id with the same error.
func FailAll(ids []string, err *Error) map[string]Result {
	out := make(map[string]Result, len(ids))
	for _, id := range ids {
		out[id] = Result{Err: err}
	}
	return out
}
