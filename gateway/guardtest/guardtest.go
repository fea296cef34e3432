// Package guardtest starts guards with every verifier for tests, and can switch
// single defences off to prove that a test would notice.
package guardtest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/all"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/secrets"
)

// Token is the gateway's own token of test guards.
const Token = "guardtest-0123456789abcdefghijklmnop"

// Password is the gateway's password of test guards in mode password.
const Password = "correct horse battery staple"

// Options describe a test guard.
type Options struct {
	Config   gateway.Config
	Token    string // default Token, unless the mode excludes one
	Password string
	Named    *token.Watch
	Refused  func(gateway.RefusalEvent)
}

// New starts a guard that stops with the test.
func New(t testing.TB, o Options) *gateway.Guard {
	t.Helper()
	g, err := Start(t, o)
	if err != nil {
		t.Fatalf("guard: %v", err)
	}
	return g
}

// Start is New, except that a refusal to start is returned.
func Start(t testing.TB, o Options) (*gateway.Guard, error) {
	t.Helper()
	if o.Token == "" && o.Password == "" && (o.Config.Auth.Mode == "" || o.Config.Auth.Mode == gateway.ModeToken) {
		o.Token = Token
	}
	g, err := gateway.New(context.Background(), o.Config, gateway.Deps{
		Build: all.Builder(o.Named), Token: secrets.NewValue(o.Token), Password: secrets.NewValue(o.Password),
		Refused: o.Refused, Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		t.Cleanup(func() { _ = g.Close() })
	}
	return g, err
}

// Tokens opens a token store in a new directory and follows it.
func Tokens(t testing.TB) (*token.Store, *token.Watch) {
	t.Helper()
	db, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatalf("store: %v", err)
	}
	s := token.NewStore(db)
	w, err := token.NewWatch(context.Background(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("tokens: %v", err)
	}
	t.Cleanup(func() {
		_ = w.Close()
		_ = db.Close()
	})
	return s, w
}

// Defence names one defence of the guard.
type Defence string

// The defences.
const (
	Host            Defence = "host"
	Query           Defence = "query"
	Attribution     Defence = "attribution"
	Origin          Defence = "origin"
	Lockout         Defence = "lockout"
	Compare         Defence = "compare"
	Scope           Defence = "scope"
	Epoch           Defence = "epoch"
	OwnAddress      Defence = "own-address"
	RequiredHeaders Defence = "required-headers"
	AllowUsers      Defence = "allow-users"
	Narrowing       Defence = "narrowing"
	Loopback        Defence = "loopback"
	Tailscale       Defence = "tailscale"
	Expiry          Defence = "expiry"
)

var switches = map[Defence]mutate.Switch{
	Host: mutate.Host, Query: mutate.Query, Attribution: mutate.Attribution, Origin: mutate.Origin,
	Lockout: mutate.Lockout, Compare: mutate.Compare, Scope: mutate.Scope, Epoch: mutate.Epoch,
	OwnAddress: mutate.OwnAddress, RequiredHeaders: mutate.RequiredHeaders, AllowUsers: mutate.AllowUsers,
	Narrowing: mutate.Narrowing, Loopback: mutate.Loopback, Tailscale: mutate.Tailscale, Expiry: mutate.Expiry,
}

// SwitchOff takes defences away from a guard.
func SwitchOff(g *gateway.Guard, defences ...Defence) {
	var off mutate.Switch
	for _, d := range defences {
		off |= switches[d]
	}
	g.Mutate(off)
}

// OnConn is a context whose request came over a connection with these facts.
func OnConn(ctx context.Context, c gateway.Conn) context.Context {
	return gateway.WithConn(ctx, mutate.Key{}, c)
}
