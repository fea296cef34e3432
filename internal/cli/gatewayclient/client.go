// Package gatewayclient is how commands talk to the running gateway of a
// state directory.
package gatewayclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/app"
	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/secrets"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// Client calls one gateway.
type Client struct {
	Base   string
	Header http.Header // sent with every request; may be nil
	token  secrets.Value
	http   http.Client
}

// New finds the gateway as the other commands do: port from --port,
// $CHITIN_GATEWAY_PORT, the configuration or the default; token from
// $CHITIN_GATEWAY_TOKEN, a literal in the configuration or the state
// directory's token file.
func New(env *cliutil.Env) (*Client, error) {
	path, err := env.ConfigPath()
	if err != nil {
		return nil, err
	}
	l, err := config.Load(path)
	if err != nil {
		return nil, cliutil.WithHint(err, "chitin config validate")
	}
	port, err := Port(env, l)
	if err != nil {
		return nil, err
	}
	token, err := token(env, l)
	if err != nil {
		return nil, err
	}
	scheme := "http"
	if l.Gateway.TLS.Enabled {
		scheme = "https"
	}
	return &Client{Base: scheme + "://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), token: token}, nil
}

// Port is the port in force: --port, $CHITIN_GATEWAY_PORT, gateway.port, 18790.
func Port(env *cliutil.Env, l *config.Loaded) (int, error) {
	if env.Port != 0 {
		return checkPort("--port", env.Port)
	}
	if s := env.Getenv("CHITIN_GATEWAY_PORT"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0, cliutil.Usage("$CHITIN_GATEWAY_PORT is not a number", "CHITIN_GATEWAY_PORT=18790")
		}
		return checkPort("$CHITIN_GATEWAY_PORT", n)
	}
	return l.Gateway.EffectivePort(), nil
}

func checkPort(name string, n int) (int, error) {
	if n < 1 || n > 65535 {
		return 0, cliutil.Usage(name+" is not a port", name+" 18790")
	}
	return n, nil
}

func token(env *cliutil.Env, l *config.Loaded) (secrets.Value, error) {
	if f := l.Gateway.Auth.Token; f.IsLiteral() {
		return f.Literal, nil
	}
	if v := strings.TrimSpace(env.Getenv("CHITIN_GATEWAY_TOKEN")); v != "" {
		return secrets.NewValue(v), nil
	}
	state, err := env.StateDir()
	if err != nil {
		return secrets.Value{}, err
	}
	b, err := os.ReadFile(filepath.Join(state, app.TokenFile))
	if err != nil {
		return secrets.Value{}, cliutil.WithHint(fmt.Errorf("no gateway token: %w", err),
			"start the gateway with chitin serve, or set CHITIN_GATEWAY_TOKEN")
	}
	return secrets.NewValue(strings.TrimSpace(string(b))), nil
}

// Authorization is the header value that proves us to the gateway.
func (c *Client) Authorization() string { return "Bearer " + c.token.Reveal() }

// Post sends a JSON body and returns status and answer.
func (c *Client) Post(ctx context.Context, path string, body []byte) (int, []byte, error) {
	return c.do(ctx, http.MethodPost, path, bytes.NewReader(body))
}

// Get fetches a path.
func (c *Client) Get(ctx context.Context, path string) (int, []byte, error) {
	return c.do(ctx, http.MethodGet, path, nil)
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return 0, nil, err
	}
	for k, v := range c.Header {
		req.Header[k] = v
	}
	req.Header.Set("Authorization", c.Authorization())
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return 0, nil, errors.New("no answer in time")
		}
		return 0, nil, cliutil.WithHint(fmt.Errorf("no gateway answers at %s", c.Base), "chitin serve")
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, b, err
}
