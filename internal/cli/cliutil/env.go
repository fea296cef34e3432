// Package cliutil holds what every command shares: its streams, the state
// directory and configuration it acts on, and how it fails.
package cliutil

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Exit codes that every command keeps to.
const (
	ExitOK      = 0
	ExitFailure = 1  // the command could not do its job
	ExitUsage   = 2  // the command line is wrong
	ExitFound   = 3  // an audit or check found something at or above its threshold
	ExitConfig  = 78 // serve refuses an unsafe or invalid configuration
)

// Env is the world of one command run. Tests make their own.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// State and Config are the persistent flags --state and --config.
	State, Config string
	// Port is the persistent flag --port; 0 means unset.
	Port int
}

// StateDir is --state, else $CHITIN_STATE_DIR, else ~/.chitin.
func (e *Env) StateDir() (string, error) {
	if e.State != "" {
		return filepath.Abs(e.State)
	}
	if d := e.Getenv("CHITIN_STATE_DIR"); d != "" {
		return filepath.Abs(d)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", WithHint(fmt.Errorf("no home directory: %w", err), "name a state directory with --state DIR")
	}
	return filepath.Join(home, ".chitin"), nil
}

// ConfigPath is --config, else $CHITIN_CONFIG, else <state>/chitin.yml.
func (e *Env) ConfigPath() (string, error) {
	if e.Config != "" {
		return filepath.Abs(e.Config)
	}
	if c := e.Getenv("CHITIN_CONFIG"); c != "" {
		return filepath.Abs(c)
	}
	dir, err := e.StateDir()
	return filepath.Join(dir, "chitin.yml"), err
}

// Error is a failure with an exit code and what to type next.
type Error struct {
	Code int
	Err  error
	Hint string
}

// Error is the message, empty when there is nothing left to say.
func (e *Error) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// WithHint adds what to do next to a failure.
func WithHint(err error, hint string) error {
	return &Error{Code: ExitFailure, Err: err, Hint: hint}
}

// Usage is a wrong command line, with what to type instead.
func Usage(msg, hint string) error {
	return &Error{Code: ExitUsage, Err: errors.New(msg), Hint: hint}
}

// Exit ends a command with a code and no message: what there was to say has
// been printed.
func Exit(code int) error { return &Error{Code: code, Err: nil} }

// Code is the exit code of a command's error; 0 for nil.
func Code(err error) int {
	if err == nil {
		return ExitOK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ExitFailure
}
