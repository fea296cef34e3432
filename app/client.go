package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/runtime"
)

// Port is the port in force: opts.Port, $CHITIN_GATEWAY_PORT, gateway.port or
// the default. The error is a *gateway.StartError with what to type instead.
func Port(l *config.Loaded, opts Options) (int, error) {
	n, name := opts.Port, "--port"
	if n == 0 {
		s := opts.Getenv("CHITIN_GATEWAY_PORT")
		if s == "" {
			return l.Gateway.EffectivePort(), nil
		}
		n, _ = strconv.Atoi(s) // 0, which is refused below, for what is no number
		name = "$CHITIN_GATEWAY_PORT"
	}
	if n < 1 || n > 65535 {
		hint := map[string]string{"--port": "--port 18790", "$CHITIN_GATEWAY_PORT": "CHITIN_GATEWAY_PORT=18790"}[name]
		return 0, &gateway.StartError{Code: 78, Message: name + " is not a port", Hint: hint}
	}
	return n, nil
}

// ClientToken is the token with which a command calls the gateway of a
// configuration: the one that the gateway itself would resolve, except that
// $CHITIN_GATEWAY_TOKEN stands before a reference, so that a caller can present
// a named token of its own.
func ClientToken(ctx context.Context, l *config.Loaded, opts Options) (secrets.Value, error) {
	field := tokenField(l, opts)
	if !field.IsLiteral() && opts.Getenv("CHITIN_GATEWAY_TOKEN") != "" {
		field = envToken()
	}
	r, err := runtime.New(l.Secrets, runtime.Options{StateDir: opts.StateDir, Getenv: opts.Getenv})
	if err != nil {
		return secrets.Value{}, err
	}
	s, failures := r.ResolveAll(ctx, []runtime.Need{{Path: keyToken, Field: field, Required: true}})
	if len(failures) > 0 {
		return secrets.Value{}, fmt.Errorf("no gateway token: %w", failures[0])
	}
	v, ok := s.Get(keyToken)
	if !ok {
		return secrets.Value{}, errors.New("no gateway token")
	}
	return v, nil
}
