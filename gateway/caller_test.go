package gateway_test

import (
	"testing"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
)

func TestZeroCallerMayDoNothing(t *testing.T) {
	var c gateway.Caller
	if !c.Anonymous() || c.Owner() || c.Has(0) || c.Has(gateway.ScopeRead) || c.Tenant() != "" {
		t.Fatalf("the zero caller has authority: %+v", c)
	}
	if c.Principal() != "anonymous" {
		t.Fatalf("principal %q", c.Principal())
	}
}

func TestProcessCallerOwnsItsTenant(t *testing.T) {
	c := gateway.Process()
	if c.Kind() != gateway.KindUnix || !c.Owner() || !c.Has(gateway.ScopeAdmin) || c.Tenant() != gateway.DefaultTenant {
		t.Fatalf("process caller: %+v", c)
	}
}

func TestScopeClosure(t *testing.T) {
	for _, tc := range []struct {
		in   []string
		want gateway.Scope
	}{
		{nil, 0},
		{[]string{"operator.read"}, gateway.ScopeRead},
		{[]string{"write"}, gateway.ScopeRead | gateway.ScopeWrite},
		{[]string{"operator.approvals"}, gateway.ScopeApprovals},
		{[]string{"operator.admin"}, gateway.AllScopes},
	} {
		got, err := gateway.ParseScopes(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("%v: got %v (%v), want %v", tc.in, got, err, tc.want)
		}
	}
	if _, err := gateway.ParseScopes([]string{"operator.root"}); err == nil {
		t.Error("an unknown scope was accepted")
	}
}

func TestNarrowOnlyShrinks(t *testing.T) {
	c := gatewaytest.Caller(gatewaytest.Scopes(gateway.ScopeRead), gatewaytest.Owner(false))
	n := c.Narrow(gateway.AllScopes, true)
	if n.Scopes() != gateway.ScopeRead || n.Owner() {
		t.Fatalf("narrowing widened the caller: %v owner %v", n.Scopes(), n.Owner())
	}
	if c := gatewaytest.Caller(gatewaytest.Tenant("")); !c.Anonymous() {
		t.Fatal("a caller without tenant was minted")
	}
}
