package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// provider is an identity provider on loopback.
type provider struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Use: "sig", Algorithm: "ES256"}}})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// token is one for an audience.
func (p *provider) token(t *testing.T, audience ...string) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"iss": p.URL, "sub": "bob", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	if audience != nil {
		claims["aud"] = audience
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := j.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

// TestMCPAsProtectedResource follows the way of a client that knows nothing
// but the URL: refused, told where the metadata is, told who issues tokens.
func TestMCPAsProtectedResource(t *testing.T) {
	p := newProvider(t)
	const resource = "https://gateway.example.org/mcp"
	g := gatewayOn(t, "gateway:\n  auth:\n    mode: oidc\n    token: ''\n    oidc:\n      issuer: "+p.URL+"\n      audience: ["+resource+"]\n")
	head := []string{"Content-Type", "application/json", "Accept", "application/json, text/event-stream"}
	challenge := func(token string) (int, string) {
		req, err := http.NewRequest("POST", "http://127.0.0.1:"+g.port+"/mcp", strings.NewReader(initialize))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(head); i += 2 {
			req.Header.Set(head[i], head[i+1])
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode, resp.Header.Get("WWW-Authenticate")
	}
	const where = `resource_metadata="https://gateway.example.org/.well-known/oauth-protected-resource/mcp"`
	if s, c := challenge(""); s != 401 || !strings.Contains(c, where) || strings.Contains(c, "error=") {
		t.Errorf("without a token: %d %q", s, c)
	}
	for _, path := range []string{"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"} {
		s, out := g.do("GET", path, "", "")
		var m struct {
			Resource string
			Servers  []string `json:"authorization_servers"`
		}
		if err := json.Unmarshal([]byte(out), &m); err != nil || s != 200 || m.Resource != resource || len(m.Servers) != 1 || m.Servers[0] != p.URL {
			t.Errorf("%s: %d %s", path, s, out)
		}
	}
	stranger := newProvider(t)
	for name, token := range map[string]string{
		"for another resource":   p.token(t, "https://other.example.org/mcp"),
		"for the issuer alone":   p.token(t, p.URL),
		"for nobody":             p.token(t),
		"for a longer name":      p.token(t, resource+"/x"),
		"of another issuer":      stranger.token(t, resource),
		"not signed by its name": stranger.token(t, resource) + "x",
	} {
		if s, c := challenge(token); s != 401 || !strings.Contains(c, where) || !strings.Contains(c, `error="invalid_token"`) {
			t.Errorf("a token %s: %d %q", name, s, c)
		}
	}
	if s, _ := challenge(p.token(t, "https://other.example.org/mcp", resource)); s != 200 {
		t.Errorf("a token for us and another: %d", s)
	}
	if s, c := challenge(p.token(t, resource)); s != 200 || c != "" {
		t.Errorf("a token for us: %d %q", s, c)
	}
}

// TestNoMetadataWithoutAnIssuer: with the gateway's own token there is no
// issuer to send a client to.
func TestNoMetadataWithoutAnIssuer(t *testing.T) {
	g := gatewayOn(t, "")
	if s, out := g.do("GET", "/.well-known/oauth-protected-resource/mcp", "", ""); s != 404 || strings.Contains(out, "{") {
		t.Errorf("%d %s", s, out)
	}
}

type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// connect is a client whose user answers with say; nil: it cannot ask.
func connect(t *testing.T, g *running, token string, say func(string) (string, error)) *mcp.ClientSession {
	t.Helper()
	o := &mcp.ClientOptions{}
	if say != nil {
		o.ElicitationHandler = func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			action, err := say(r.Params.Message)
			return &mcp.ElicitResult{Action: action}, err
		}
	}
	c := mcp.NewClient(&mcp.Implementation{Name: "asker", Version: "1"}, o)
	s, err := c.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: "http://127.0.0.1:" + g.port + "/mcp", HTTPClient: &http.Client{Transport: bearer(token)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

const asking = "agents: {defaults: {sandbox: {workspaceAccess: rw}}}\ntools: {exec: {mode: ask}, approvals: {timeoutSeconds: 4, elicitation: "

// TestElicitationDecides lets the user of a client decide about its calls,
// where that is switched on and the credential may approve.
func TestElicitationDecides(t *testing.T) {
	needDocker(t)
	g := gatewayOn(t, asking+"on}}\n")
	may, mayNot := g.mint("may", "acme", "write", "approvals"), g.mint("maynot", "acme", "write")
	var asked atomic.Int32
	var shown atomic.Value
	call := func(token, action string, err error) (string, bool) {
		s := connect(t, g, token, func(m string) (string, error) { asked.Add(1); shown.Store(m); return action, err })
		res, cerr := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "exec", Arguments: map[string]any{"command": "echo ran-$((1+1)) | tee -a file"}})
		if cerr != nil {
			return cerr.Error(), false
		}
		return res.Content[0].(*mcp.TextContent).Text, !res.IsError
	}
	if out, ok := call(may, "accept", nil); !ok || !strings.Contains(out, "ran-2") || asked.Load() != 1 {
		t.Fatalf("after accept: %s, asked %d times", out, asked.Load())
	}
	if m := shown.Load().(string); !strings.Contains(m, "echo ran-$((1+1)) | tee -a file") || !strings.Contains(m, "agent:main:main") {
		t.Errorf("the user was shown %q", m)
	}
	if _, ok := call(may, "accept", nil); !ok || asked.Load() != 2 {
		t.Errorf("a yes is for one call: asked %d times", asked.Load())
	}
	for _, action := range []string{"decline", "cancel"} {
		if out, ok := call(may, action, nil); ok || strings.Contains(out, "ran-2") {
			t.Errorf("after %s: %s", action, out)
		}
	}
	if out, ok := call(may, "", errors.New("broken")); ok {
		t.Errorf("after a failure: %s", out)
	}
	before := asked.Load()
	if out, ok := call(mayNot, "accept", nil); ok || asked.Load() != before {
		t.Errorf("without operator.approvals: %s, asked %d times", out, asked.Load()-before)
	}
	list, err := g.chitin("journal", "tail", "--json", "-n", "200")
	if err != nil || !strings.Contains(list, `"via":"mcp `) || !strings.Contains(list, "approval.decided") {
		t.Errorf("the journal does not say how it was answered: %v %.2000s", err, list)
	}
}

// TestElicitationIsOff: by default another approver decides.
func TestElicitationIsOff(t *testing.T) {
	g := gatewayOn(t, asking+"off}}\n")
	s := connect(t, g, g.mint("may", "acme", "write", "approvals"), func(string) (string, error) {
		t.Error("the user was asked")
		return "accept", nil
	})
	res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "exec", Arguments: map[string]any{"command": "true"}})
	if err == nil && !res.IsError {
		t.Errorf("it ran: %+v", res)
	}
}
