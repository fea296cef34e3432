// Package exec is the provider that asks a program: the ids of a batch go to
// its standard input as JSON and the values come back on its standard output.
// There is no shell, the environment is empty but for what is passed on, and
// output, time and silence are limited.
package exec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/securepath"
)

// Provider asks one program.
type Provider struct {
	Name      string // the provider's name, told to the program
	Command   string // absolute path
	Args      []string
	Env       []string // the program's whole environment, NAME=value
	Trusted   []string // directories it must be below; nil means any
	Symlink   bool     // the command may be a symbolic link
	Timeout   time.Duration
	Idle      time.Duration
	MaxOutput int64
	Lenient   bool // output that is not the protocol is the value of a single id
}

const (
	maxIDs       = 512
	maxRequest   = 256 << 10
	defaultTime  = 5 * time.Second
	defaultBytes = 1 << 20
)

// Resolve runs the program once for every 512 ids.
func (p *Provider) Resolve(ctx context.Context, ids []string) map[string]secrets.Result {
	if err := p.trusted(); err != nil {
		return secrets.FailAll(ids, err)
	}
	out := make(map[string]secrets.Result, len(ids))
	for batch := range slices.Chunk(ids, maxIDs) {
		for id, r := range p.batch(ctx, batch) {
			out[id] = r
		}
	}
	return out
}

// Check reports whether the program could be run, without running it.
func (p *Provider) Check() *secrets.Error {
	if err := p.trusted(); err != nil {
		return err
	}
	f, err := securepath.Open(p.Command, p.rules())
	if err != nil {
		return commandError(p.Command, err)
	}
	_ = f.Close()
	return nil
}

func (p *Provider) rules() securepath.Rules {
	return securepath.Rules{Program: true, AllowSymlink: p.Symlink}
}

func (p *Provider) trusted() *secrets.Error {
	if p.Trusted == nil {
		return nil
	}
	for _, dir := range p.Trusted {
		if strings.HasPrefix(p.Command, strings.TrimSuffix(dir, "/")+"/") && !strings.Contains(p.Command, "/../") {
			return nil
		}
	}
	return secrets.Fail(secrets.CodeDenied, p.Command+" is not below a trusted directory", "move it, or add its directory to trustedDirs")
}

func (p *Provider) batch(ctx context.Context, ids []string) map[string]secrets.Result {
	req, fail := request(p.Name, ids)
	if fail != nil {
		return secrets.FailAll(ids, fail)
	}
	if p.Timeout <= 0 {
		p.Timeout = defaultTime
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.Timeout, errTimeout)
	defer cancel()
	out, err := p.run(ctx, req)
	defer securepath.Wipe(out)
	if err != nil {
		return secrets.FailAll(ids, p.runError(err))
	}
	return parse(out, ids, p.Lenient)
}

var (
	errTimeout = errors.New("time limit")
	errIdle    = errors.New("idle limit")
	errOutput  = errors.New("output limit")
)

// runError says what happened to the program, without a word of what it said.
func (p *Provider) runError(err error) *secrets.Error {
	var coded *secrets.Error
	switch {
	case errors.As(err, &coded):
		return coded
	case errors.Is(err, errTimeout):
		return secrets.Fail(secrets.CodeProviderError, fmt.Sprintf("%s took longer than %v", p.Command, p.Timeout), "raise timeoutMs, or look why it hangs")
	case errors.Is(err, errIdle):
		return secrets.Fail(secrets.CodeProviderError, fmt.Sprintf("%s was silent for %v", p.Command, p.idle()), "raise noOutputTimeoutMs, or look why it hangs")
	case errors.Is(err, errOutput):
		return secrets.Fail(secrets.CodeContract, fmt.Sprintf("%s wrote more than %d bytes", p.Command, p.maxOutput()), "raise maxOutputBytes, or look what it prints")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return secrets.AsError(context.DeadlineExceeded)
	}
	return secrets.Fail(secrets.CodeProviderError, p.Command+" failed: "+exitText(err), "run it by hand to see what it says")
}

func commandError(path string, err error) *secrets.Error {
	var p *securepath.Problem
	switch {
	case errors.As(err, &p):
		return secrets.Fail(secrets.CodePathInsecure, p.Error(), p.Fix)
	case errors.Is(err, fs.ErrNotExist):
		return secrets.Fail(secrets.CodeInvalid, path+" does not exist", "install it, or correct command")
	}
	return secrets.Fail(secrets.CodePathInsecure, path+" cannot be opened", "make it readable and executable for us")
}

func (p *Provider) idle() time.Duration {
	if p.Idle <= 0 {
		return defaultTime
	}
	return p.Idle
}

func (p *Provider) maxOutput() int64 {
	if p.MaxOutput <= 0 {
		return defaultBytes
	}
	return p.MaxOutput
}
