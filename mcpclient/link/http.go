package link

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"code.dny.dev/ssrf"
	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/auth/extauth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// Bounds of HTTP.
const (
	dialTime     = 10 * time.Second
	maxHeader    = 64 << 10
	maxRedirects = 3
)

// errOrigin refuses to follow a server to another one.
var errOrigin = errors.New("the server leads to another origin")

// Remote is the transport of an http or sse server, with the client that keeps
// it to its origin. Stop closes the client's connections.
func Remote(s mcpclient.Server, headers map[string]string, oauth auth.OAuthHandler) (t mcp.Transport, stop func(), err error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, nil, errors.New("the url is not one of a server")
	}
	limit := FrameLimit(s.ResultLimit())
	base := transport(s.AllowPrivate)
	client := &http.Client{
		Transport:     &guarded{base: base, origin: origin(u), headers: headers, limit: int64(limit)},
		CheckRedirect: sameOrigin(origin(u)),
	}
	if s.Kind() == mcpclient.SSE {
		return &mcp.SSEClientTransport{Endpoint: s.URL, HTTPClient: client, MaxEventSize: limit}, base.CloseIdleConnections, nil
	}
	return &mcp.StreamableClientTransport{Endpoint: s.URL, HTTPClient: client, MaxEventSize: limit, OAuthHandler: oauth}, base.CloseIdleConnections, nil
}

// Login is how a server's demand for a token is met: with the client that is
// registered for it, or nil. The authorization server is another origin, so it
// has a client of its own, which follows no redirects and sends no header of
// the server's.
func Login(s mcpclient.Server, secret string) (auth.OAuthHandler, error) {
	if s.OAuth.ClientID == "" {
		return nil, nil
	}
	return extauth.NewClientCredentialsHandler(&extauth.ClientCredentialsHandlerConfig{
		Credentials: &oauthex.ClientCredentials{ClientID: s.OAuth.ClientID, ClientSecretAuth: &oauthex.ClientSecretAuth{ClientSecret: secret}},
		HTTPClient:  LoginClient(s.AllowPrivate),
	})
}

// LoginClient talks to authorization servers.
func LoginClient(private bool) *http.Client {
	t := transport(private)
	t.DisableKeepAlives = true
	return &http.Client{
		Timeout: 30 * time.Second, Transport: capped{t, private},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errOrigin },
	}
}

// capped bounds every answer, and sends nothing in the clear unless it may be
// a private network.
type capped struct {
	base  http.RoundTripper
	clear bool
}

// RoundTrip sends one request.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !c.clear {
		return nil, errors.New("the authorization server is not reached over https")
	}
	res, err := c.base.RoundTrip(r)
	if err == nil {
		res.Body = &bounded{ReadCloser: res.Body, left: 1 << 20}
	}
	return res, err
}

// transport connects to public addresses only, unless private ones were asked
// for. The check runs on the address that is dialled, after every name was
// looked up. No proxy of the environment is used: it would see everything.
func transport(private bool) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTime}
	if !private {
		dialer.Control = ssrf.New(ssrf.WithAnyPort()).Safe
	} else {
		dialer.Control = ssrf.New(ssrf.WithAnyPort(),
			ssrf.WithAllowedV4Prefixes(prefixes("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")...),
			ssrf.WithAllowedV6Prefixes(prefixes("::1/128", "fc00::/7")...)).Safe
	}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTime, MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, MaxConnsPerHost: 64,
	}
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// origin is scheme, host and port, as browsers compare them.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

func sameOrigin(home string) func(*http.Request, []*http.Request) error {
	return func(r *http.Request, via []*http.Request) error {
		switch {
		case origin(r.URL) != home || r.URL.User != nil:
			return errOrigin
		case len(via) > maxRedirects:
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		return nil
	}
}

// guarded sends the configured headers to the server's own origin, refuses
// every other one, and bounds what is read of an answer.
type guarded struct {
	base    http.RoundTripper
	origin  string
	headers map[string]string
	limit   int64
}

// RoundTrip sends one request.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if origin(r.URL) != g.origin {
		return nil, errOrigin
	}
	if len(g.headers) > 0 {
		r = r.Clone(r.Context())
		for k, v := range g.headers {
			r.Header.Set(k, v)
		}
	}
	res, err := g.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	// An event stream is bounded by its events, everything else as a whole.
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind != "text/event-stream" {
		res.Body = &bounded{ReadCloser: res.Body, left: g.limit}
	}
	return res, nil
}

var errTooLarge = errors.New("the server's answer is too large")

// bounded fails, rather than ends, where the limit is.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	return n, err
}
