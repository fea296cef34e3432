package gateway_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
)

// TestAuthorityOnlyShrinks narrows callers along arbitrary chains: nothing is
// ever gained, and an empty set stays empty.
func TestAuthorityOnlyShrinks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scopes := rapid.Custom(func(t *rapid.T) gateway.Scope { return gateway.Scope(rapid.Uint16().Draw(t, "scopes")) })
		c := gatewaytest.Caller(gatewaytest.Scopes(scopes.Draw(t, "start")), gatewaytest.Owner(rapid.Bool().Draw(t, "owner")))
		if c.Scopes()&^gateway.AllScopes != 0 {
			t.Fatalf("a caller has scopes that do not exist: %b", c.Scopes())
		}
		for range rapid.IntRange(0, 8).Draw(t, "steps") {
			n := c.Narrow(scopes.Draw(t, "to"), rapid.Bool().Draw(t, "keep"))
			if n.Scopes()&^c.Scopes() != 0 || n.Owner() && !c.Owner() || n.Tenant() != c.Tenant() || n.Credential() != c.Credential() {
				t.Fatalf("%+v became %+v", c, n)
			}
			c = n
		}
		if none := c.Narrow(0, true); none.Has(gateway.ScopeRead) || none.Scopes() != 0 {
			t.Fatal("the empty set may do something")
		}
	})
}

// TestDeclaredScopesNeverPanicAndNeverExceed: whatever a client lists.
func TestDeclaredScopesNeverExceed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"operator.admin", "operator.read", "admin", "write, read", ""}))).Draw(t, "names")
		held := gateway.Scope(rapid.Uint16().Draw(t, "held")).Closure()
		c := gatewaytest.Caller(gatewaytest.Scopes(held)).Narrow(gateway.Declared(names), true)
		if c.Scopes()&^held != 0 {
			t.Fatalf("%q gave %v beyond %v", names, c.Scopes(), held)
		}
	})
}
