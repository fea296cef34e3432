package tool

import "errors"

// ErrorKind classes a tool's failure for the wire.
type ErrorKind string

// The kinds, with the HTTP status they become.
const (
	KindInput     ErrorKind = "tool_error"        // 400: the arguments are wrong
	KindForbidden ErrorKind = "tool_call_blocked" // 403
	KindNotFound  ErrorKind = "not_found"         // 404
	KindFailed    ErrorKind = "failed"            // 500, message sanitised
	KindUnavail   ErrorKind = "unavailable"       // 503, with what to do next
)

// Error is a failure with a message that the caller may see and a cause that
// only the log gets.
type Error struct {
	Kind   ErrorKind
	Code   string // machine-readable cause such as ENOENT; may be empty
	Public string
	Err    error
	// Source is set when Public came from outside: the corridor wraps it and
	// labels the session with it, as it does with a result.
	Source string
}

// Error is the public message; the cause stays behind Unwrap.
func (e *Error) Error() string { return e.Public }

// Unwrap is the internal cause.
func (e *Error) Unwrap() error { return e.Err }

// Input is an error about the arguments, shown to the caller.
func Input(msg string) error { return &Error{Kind: KindInput, Public: msg} }

// InputCode is Input with a machine-readable code and an internal cause.
func InputCode(code, msg string, cause error) error {
	return &Error{Kind: KindInput, Code: code, Public: msg, Err: cause}
}

// Missing is the error about a required parameter that was not given.
func Missing(name string) error {
	return Input("Missing required parameter: " + name + ". Supply correct parameters before retrying.")
}

// Forbidden is a refusal that the caller may see.
func Forbidden(msg string) error { return &Error{Kind: KindForbidden, Public: msg} }

// Failed is a failure of ours with a message fit for the caller.
func Failed(msg string, cause error) error {
	return &Error{Kind: KindFailed, Public: msg, Err: cause}
}

// Unavailable says what is missing and what to do about it.
func Unavailable(msg string, cause error) error {
	return &Error{Kind: KindUnavail, Public: msg, Err: cause}
}

// AsError finds the tool error in a chain, or classes err as failed.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: KindFailed, Public: "tool execution failed", Err: err}
}
