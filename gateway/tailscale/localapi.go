// Package tailscale talks to the Tailscale daemon of this machine through its
// LocalAPI socket: it publishes the gateway to the tailnet (serve) or to the
// internet (funnel) and asks who is behind a tailnet address.
package tailscale

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
)

// DefaultSocket is where the daemon listens on Linux.
const DefaultSocket = "/var/run/tailscale/tailscaled.sock"

const (
	apiHost    = "local-tailscaled.sock"
	apiTimeout = 5 * time.Second
	maxAnswer  = 4 << 20
)

// ErrNotInstalled means that no Tailscale daemon listens here.
var ErrNotInstalled = errors.New("the Tailscale daemon does not answer: is Tailscale installed and running")

// Client is a LocalAPI client.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient talks to the daemon on a Unix socket; empty means DefaultSocket.
func NewClient(socket string) *Client {
	if socket == "" {
		socket = DefaultSocket
	}
	return &Client{socket: socket, http: &http.Client{
		Timeout: apiTimeout,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}},
	}}
}

// Status is the part of the daemon's status that the gateway needs.
type Status struct {
	BackendState string
	Self         struct {
		DNSName      string
		TailscaleIPs []netip.Addr
		CapMap       map[string]any
	}
}

// Name is the machine's tailnet name without the trailing dot.
func (s *Status) Name() string { return strings.TrimSuffix(s.Self.DNSName, ".") }

// Status asks for the daemon's state.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var s Status
	_, err := c.do(ctx, http.MethodGet, "/localapi/v0/status?peers=false", nil, "", &s)
	return &s, err
}

// WhoIs returns the login name of the user behind a tailnet address, and false
// when the daemon knows nobody there or the peer is a tagged machine.
func (c *Client) WhoIs(ctx context.Context, addr netip.Addr) (login string, ok bool, err error) {
	var who struct {
		Node        struct{ Tags []string }
		UserProfile struct{ LoginName string }
	}
	code, err := c.do(ctx, http.MethodGet, "/localapi/v0/whois?addr="+url.QueryEscape(netip.AddrPortFrom(addr, 1).String()), nil, "", &who)
	if code == http.StatusNotFound {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	login = who.UserProfile.LoginName
	return login, login != "" && len(who.Node.Tags) == 0, nil
}

// serveConfig is the daemon's configuration of what it publishes. Fields that
// are not ours are carried along untouched.
type serveConfig map[string]json.RawMessage

// Publish makes the daemon forward https://<name>/ to a loopback port. It
// changes nothing that somebody else published on port 443 and says so.
func (c *Client) Publish(ctx context.Context, mode string, port int) (publicURL string, err error) {
	st, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	if st.BackendState != "Running" || st.Name() == "" {
		return "", fmt.Errorf("tailscale is %s: run tailscale up first", strings.ToLower(st.BackendState))
	}
	target := "http://127.0.0.1:" + strconv.Itoa(port)
	hp := st.Name() + ":443"
	err = c.edit(ctx, func(cfg serveConfig) error {
		return cfg.publish(hp, target, mode == "funnel")
	})
	return "https://" + st.Name() + "/", err
}

// Open opens the private listener, publishes it as configured and returns its
// address for users. stop withdraws what was published; the listener is closed
// by whoever serves it. Serve it with the handler of the other listeners.
func Open(ctx context.Context, cfg gateway.TailscaleConfig) (l net.Listener, publicURL string, stop func(context.Context) error, err error) {
	l, port, err := gateway.ListenPrivate(ctx)
	if err != nil {
		return nil, "", nil, err
	}
	c := NewClient(cfg.Socket)
	if publicURL, err = c.Publish(ctx, cfg.Mode, port); err != nil {
		_ = l.Close()
		return nil, "", nil, &gateway.StartError{
			Code: 1, Message: "gateway.tailscale.mode is " + cfg.Mode + " and " + err.Error(),
			Hint: "install and start Tailscale, or set gateway.tailscale.mode: off",
		}
	}
	return l, publicURL, func(ctx context.Context) error { return c.Withdraw(ctx, port) }, nil
}

// Withdraw removes what Publish added, if it is still ours.
func (c *Client) Withdraw(ctx context.Context, port int) error {
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	target := "http://127.0.0.1:" + strconv.Itoa(port)
	return c.edit(ctx, func(cfg serveConfig) error { return cfg.withdraw(st.Name()+":443", target) })
}

// edit changes the daemon's configuration unless somebody else changed it in
// between.
func (c *Client) edit(ctx context.Context, change func(serveConfig) error) error {
	for range 3 {
		cfg := serveConfig{}
		etag, err := c.getConfig(ctx, &cfg)
		if err != nil {
			return err
		}
		if err := change(cfg); err != nil {
			return err
		}
		body, err := json.Marshal(cfg)
		if err != nil {
			return err
		}
		code, err := c.do(ctx, http.MethodPost, "/localapi/v0/serve-config", body, etag, nil)
		if code != http.StatusPreconditionFailed {
			return err
		}
	}
	return errors.New("tailscale: its serve configuration keeps changing")
}

func (c *Client) getConfig(ctx context.Context, into *serveConfig) (etag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+apiHost+"/localapi/v0/serve-config", nil)
	if err != nil {
		return "", err
	}
	res, err := c.send(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if err := decode(res, into); err != nil {
		return "", err
	}
	if *into == nil {
		*into = serveConfig{}
	}
	return res.Header.Get("Etag"), nil
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, etag string, into any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+apiHost+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if etag != "" {
		req.Header.Set("If-Match", etag)
	}
	res, err := c.send(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	return res.StatusCode, decode(res, into)
}

func (c *Client) send(req *http.Request) (*http.Response, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w (socket %s)?", ErrNotInstalled, c.socket)
	}
	return res, nil
}

func decode(res *http.Response, into any) error {
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("tailscale: %w", err)
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("tailscale answers %s: %s", res.Status, strings.TrimSpace(string(raw[:min(len(raw), 200)])))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("tailscale: %w", err)
	}
	return nil
}
