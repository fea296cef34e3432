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
	Public string
	Err    error
}

// Error is the public message; the cause stays behind Unwrap.
func (e *Error) Error() string { return e.Public }

// Unwrap is the internal cause.
func (e *Error) Unwrap() error { return e.Err }

// Input is an error about the arguments, shown to the caller.
func Input(msg string) error { return &Error{Kind: KindInput, Public: msg} }

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
