// Command conformance drives chitin's MCP client through the scenarios of the
// protocol's official conformance suite, which starts it with the URL of a
// server as its last argument. In a gateway nobody is there to answer a server's
// questions or a browser's login: this program is that somebody.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/link"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// calls are the tools that the scenarios offer, with what they want.
var calls = map[string]string{
	"add_numbers":                      `{"a":5,"b":3}`,
	"test_client_elicitation_defaults": `{}`,
	"test_reconnection":                `{}`,
	"test-tool":                        `{}`,
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: conformance URL, with MCP_CONFORMANCE_SCENARIO set")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	if err := run(ctx, os.Args[len(os.Args)-1], os.Getenv("MCP_CONFORMANCE_SCENARIO"), os.Getenv("MCP_CONFORMANCE_CONTEXT")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, endpoint, scenario, about string) error {
	var login auth.OAuthHandler
	if strings.HasPrefix(scenario, "auth/") {
		var err error
		if login, err = logIn(scenario, about); err != nil {
			return err
		}
	}
	transport, stop, err := link.Remote(mcpclient.Server{URL: endpoint, AllowPrivate: true}, nil, login)
	if err != nil {
		return err
	}
	l, err := link.Dial(ctx, link.Options{
		Server: "conformance", Transport: transport, Stop: stop, ResultLimit: 1 << 20, Version: "0",
		Elicit: func(context.Context, string, json.RawMessage) (string, map[string]any) {
			return "accept", map[string]any{}
		},
	})
	if err != nil {
		return err
	}
	defer l.Close()
	tools, err := l.Tools(ctx)
	if err != nil {
		return err
	}
	for _, t := range tools {
		args, ok := calls[t.Name]
		if !ok {
			continue
		}
		out, err := l.Call(ctx, t.Name, json.RawMessage(args))
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		fmt.Println(t.Name+":", out.Text())
	}
	return nil
}

// given is what a scenario says about its clients.
type given struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// logIn is how the scenario's authorization server is answered.
func logIn(scenario, about string) (auth.OAuthHandler, error) {
	var g given
	if about != "" {
		if err := json.Unmarshal([]byte(about), &g); err != nil {
			return nil, fmt.Errorf("MCP_CONFORMANCE_CONTEXT: %w", err)
		}
	}
	if strings.HasPrefix(scenario, "auth/client-credentials") {
		if g.Secret == "" {
			return nil, errors.New("only client credentials with a secret are spoken")
		}
		return link.Login(mcpclient.Server{AllowPrivate: true, OAuth: mcpclient.OAuth{ClientID: g.ID}}, g.Secret)
	}
	var known *oauthex.ClientCredentials
	if g.ID != "" && g.Secret != "" {
		known = &oauthex.ClientCredentials{ClientID: g.ID, ClientSecretAuth: &oauthex.ClientSecretAuth{ClientSecret: g.Secret}}
	}
	const back = "http://localhost:3000/callback"
	return auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		RedirectURL: back, AuthorizationCodeFetcher: browse, PreregisteredClient: known, Client: link.LoginClient(true),
		ClientIDMetadataDocumentConfig:  &auth.ClientIDMetadataDocumentConfig{URL: "https://conformance-test.local/client-metadata.json"},
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{RedirectURIs: []string{back}}},
	})
}

// browse plays the user's browser: the scenarios' servers redirect at once.
func browse(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, args.URL, nil)
	if err != nil {
		return nil, err
	}
	c := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	q := to.Query()
	return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
}
