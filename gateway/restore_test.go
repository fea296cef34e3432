package gateway_test

import (
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/gateway/guardtest"
)

func TestRestore(t *testing.T) {
	read, unix := []string{"operator.read"}, gatewaytest.Kind(gateway.KindUnix)
	g := guardtest.New(t, guardtest.Options{Config: gateway.Config{Auth: gateway.AuthConfig{Principals: map[string]gateway.PrincipalConfig{
		"unix:4001": {Scopes: read}, "unix:4002": {Tenant: "elsewhere"},
	}}}})
	soon, past := time.Now().Add(time.Hour).UnixMilli(), time.Now().Add(-time.Second).UnixMilli()
	for name, tc := range map[string]struct {
		caller gateway.Caller
		edit   func(*gateway.Stored)
		want   gateway.Scope // 0: no caller
	}{
		"an owner's work is no owner's": {gatewaytest.Caller(), nil, gateway.ScopeRead | gateway.ScopeWrite},
		"all scopes in the store":       {gatewaytest.Caller(), func(s *gateway.Stored) { s.Scopes = gateway.AllScopes }, gateway.ScopeRead | gateway.ScopeWrite},
		"the process itself":            {gateway.Process(), nil, gateway.ScopeRead | gateway.ScopeWrite},
		"narrowed meanwhile":            {gatewaytest.Caller(unix, gatewaytest.ID("4001")), nil, gateway.ScopeRead},
		"moved to another tenant":       {gatewaytest.Caller(unix, gatewaytest.ID("4002")), nil, 0},
		"still valid":                   {gatewaytest.Caller(), func(s *gateway.Stored) { s.Expires = soon }, gateway.ScopeRead | gateway.ScopeWrite},
		"ran out":                       {gatewaytest.Caller(), func(s *gateway.Stored) { s.Expires = past }, 0},
		"a kind without a door":         {gatewaytest.Caller(gatewaytest.Kind(gateway.KindMTLS)), nil, 0},
		"a hook":                        {gatewaytest.Caller(gatewaytest.Kind(gateway.KindHook)), nil, 0},
		"nobody":                        {gateway.Caller{}, nil, 0},
		"without a tenant":              {gatewaytest.Caller(), func(s *gateway.Stored) { s.Tenant = "" }, 0},
		"without a credential":          {gatewaytest.Caller(), func(s *gateway.Stored) { s.Credential = "" }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.caller.Stored()
			if tc.edit != nil {
				tc.edit(&s)
			}
			c, ok := g.Restore(s)
			if ok != (tc.want != 0) || c.Scopes() != tc.want || c.Owner() {
				t.Fatalf("Restore = %v with %v, owner %v, %v; want scopes %v", c.Principal(), c.Scopes(), c.Owner(), ok, tc.want)
			}
			if ok && (c.Principal() != tc.caller.Principal() || c.Tenant() != tc.caller.Tenant() || !g.Alive(c)) {
				t.Errorf("Restore = %s in %s, alive %v", c.Principal(), c.Tenant(), g.Alive(c))
			}
		})
	}
}

func TestRestoreAfterRevocation(t *testing.T) {
	g := guardtest.New(t, guardtest.Options{})
	kept, gone := gatewaytest.Caller(gatewaytest.ID("kept")).Stored(), gatewaytest.Caller(gatewaytest.ID("gone")).Stored()
	restored, _ := g.Restore(gone)
	g.Revoke("token:gone")
	if _, ok := g.Restore(gone); ok {
		t.Error("a revoked caller came back")
	}
	gone.Epoch = 0
	if _, ok := g.Restore(gone); ok {
		t.Error("a revoked caller of an earlier process came back")
	}
	if g.Alive(restored) {
		t.Error("what was restored before survived the revocation")
	}
	if _, ok := g.Restore(kept); !ok {
		t.Error("revoking one credential ended another")
	}
}
