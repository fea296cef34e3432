// Package helper speaks the exec provider's protocol on behalf of tools that
// do not: vals, vault (or bao), op, pass and age. Each calls the user's own
// program, so that no vendor's library is linked.
package helper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	protocol "github.com/chitin-sh/chitin/secrets/exec"
)

// Options says which program to call and how.
type Options struct {
	Program  string        // path or name; the kind's own name when empty
	File     string        // age: the encrypted file
	Identity string        // age: the identity file
	Timeout  time.Duration // for one call; 10 s when zero
}

// Kinds are the tools that there are helpers for.
func Kinds() []string { return []string{"vals", "vault", "op", "pass", "age"} }

const (
	maxRequest = 1 << 20
	maxOutput  = 1 << 20
)

// failure is a code of the protocol.
type failure struct{ code, message string }

// Error is the message.
func (f failure) Error() string { return f.message }

var errNotFound = failure{protocol.NotFound, "there is no such secret"}

// resolver answers for one id.
type resolver func(ctx context.Context, id string) (string, error)

// Run reads one request from in and writes the response to out. The error is
// for a person and holds no secret.
func Run(ctx context.Context, kind string, o Options, in io.Reader, out io.Writer) error {
	var req protocol.Request
	data, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
	if err != nil || len(data) > maxRequest {
		return errors.New("the request cannot be read or is too large")
	}
	if err := json.Unmarshal(data, &req); err != nil || req.ProtocolVersion != protocol.ProtocolVersion {
		return fmt.Errorf("expected {\"protocolVersion\":%d,\"ids\":[…]} on standard input", protocol.ProtocolVersion)
	}
	resolve, err := newResolver(ctx, kind, &o)
	if err != nil {
		return err
	}
	resp := protocol.Response{ProtocolVersion: protocol.ProtocolVersion, Values: map[string]string{}, Errors: map[string]protocol.RefError{}}
	for _, id := range req.IDs {
		v, err := "", error(failure{"INVALID_ID", "not an id"})
		if safeID(id) {
			v, err = resolve(ctx, id)
		}
		if err == nil {
			resp.Values[id] = v
			continue
		}
		var f failure
		if !errors.As(err, &f) {
			f = failure{"TOOL_FAILED", "the program failed"}
		}
		resp.Errors[id] = protocol.RefError{Code: f.code, Message: f.message}
	}
	return json.NewEncoder(out).Encode(resp)
}

// safeID refuses what a tool could take for an option or a way out of its
// tree.
func safeID(id string) bool {
	return id != "" && len(id) <= 256 && id[0] != '-' && !strings.ContainsAny(id, "\x00\n\r") && !slices.Contains(strings.Split(id, "/"), "..")
}

func newResolver(ctx context.Context, kind string, o *Options) (resolver, error) {
	if !slices.Contains(Kinds(), kind) {
		return nil, fmt.Errorf("there is no helper %q: use %s", kind, strings.Join(Kinds(), ", "))
	}
	program, err := find(o.Program, kind)
	if err != nil {
		return nil, err
	}
	o.Program = program
	switch kind {
	case "vals":
		return func(ctx context.Context, id string) (string, error) { return o.call(ctx, "get", "ref+"+id) }, nil
	case "vault":
		return o.vault, nil
	case "op":
		return func(ctx context.Context, id string) (string, error) { return o.call(ctx, "read", "op://"+id) }, nil
	case "pass":
		return o.pass, nil
	}
	return o.age(ctx)
}

// find looks for a program where programs are installed: an exec provider
// has no PATH.
func find(program, kind string) (string, error) {
	names := []string{program}
	if program == "" {
		names = map[string][]string{"vault": {"vault", "bao"}}[kind]
		if names == nil {
			names = []string{kind}
		}
	}
	for _, name := range names {
		if filepath.IsAbs(name) {
			return name, nil
		}
		if p, err := exec.LookPath(name); err == nil && filepath.IsAbs(p) {
			return p, nil
		}
		for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/opt/homebrew/bin", "/snap/bin"} {
			if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return p, nil
			}
		}
	}
	return "", fmt.Errorf("%s is not installed: install it, or name it with --program", names[0])
}

// call runs the program and returns its output without the final newline.
// What it says about itself is used to tell a missing secret from a failure.
func (o *Options) call(ctx context.Context, args ...string) (string, error) {
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Program, args...)
	stdout, stderr := &limited{}, &limited{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, time.Second
	if err := cmd.Run(); err != nil {
		switch {
		case ctx.Err() != nil:
			return "", failure{"TIMEOUT", "the program did not answer in time"}
		case isMissing(stderr.String()):
			return "", errNotFound
		}
		return "", failure{"TOOL_FAILED", "the program failed"}
	}
	if stdout.over {
		return "", failure{"TOO_LARGE", "the program wrote too much"}
	}
	v := strings.TrimRight(stdout.String(), "\r\n")
	if v == "" {
		return "", errNotFound
	}
	return v, nil
}

func isMissing(stderr string) bool {
	low := strings.ToLower(stderr)
	for _, s := range []string{"not in the password store", "no value found", "isn't an item", "not found", "no data found", "could not find", "not present in secret", "does not have a field"} {
		if strings.Contains(low, s) {
			return true
		}
	}
	return false
}

// limited keeps the first maxOutput bytes. It does not embed the buffer, whose
// ReadFrom would take everything.
type limited struct {
	buf  bytes.Buffer
	over bool
}

// String is what was kept.
func (l *limited) String() string { return l.buf.String() }

// Write takes all of p and keeps what there is room for.
func (l *limited) Write(p []byte) (int, error) {
	n := len(p)
	if room := maxOutput - l.buf.Len(); n > room {
		l.over = true
		p = p[:room]
	}
	_, _ = l.buf.Write(p)
	return n, nil
}
