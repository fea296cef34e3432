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
	"strconv"
	"time"

	"github.com/chitin-sh/chitin/app"
	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/secrets"
)

// resolveTime bounds asking a secret provider for the token.
const resolveTime = 30 * time.Second

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
// $CHITIN_GATEWAY_PORT, the configuration or the default; token as
// app.ClientToken says.
func New(env *cliutil.Env) (*Client, error) {
	path, err := env.ConfigPath()
	if err != nil {
		return nil, err
	}
	l, err := config.Load(path)
	if err != nil {
		return nil, cliutil.WithHint(err, "chitin config validate")
	}
	state, err := env.StateDir()
	if err != nil {
		return nil, err
	}
	opts := app.Options{StateDir: state, ConfigPath: path, Port: env.Port, Getenv: env.Getenv}
	port, err := app.Port(l, opts)
	if err != nil {
		return nil, usage(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
	defer cancel()
	token, err := app.ClientToken(ctx, l, opts)
	if err != nil {
		return nil, cliutil.WithHint(err, "start the gateway with chitin serve, or set CHITIN_GATEWAY_TOKEN")
	}
	scheme := "http"
	if l.Gateway.TLS.Enabled {
		scheme = "https"
	}
	return &Client{Base: scheme + "://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), token: token}, nil
}

// usage turns a refusal of the port into one of the command line.
func usage(err error) error {
	var refused *gateway.StartError
	if errors.As(err, &refused) {
		return cliutil.Usage(refused.Message, refused.Hint)
	}
	return err
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
