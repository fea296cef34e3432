package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"

	"github.com/chitin-sh/chitin/gateway/internal/mint"
	"github.com/chitin-sh/chitin/secrets"
)

// ProveHook compares a webhook's secret with the configured one. The caller it
// gives has operator.write, never ownership, and dies with the secret: pass
// the secret that is configured now, at every use.
func (g *Guard) ProveHook(presented string, configured secrets.Value) (Caller, bool) {
	if configured.IsZero() {
		return Caller{}, false
	}
	want, got := sha256.Sum256([]byte(configured.Reveal())), sha256.Sum256([]byte(presented))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return Caller{}, false
	}
	return Mint(mint.Prove(mint.Claims{
		Kind: string(KindHook), ID: "webhook", Tenant: DefaultTenant, Scopes: uint16(ScopeWrite),
		Credential: HookCredential(configured), Epoch: g.ledger.epoch.Load(),
	})), true
}

// HookCredential is the credential's id of a webhook secret: revoke the old
// one when the secret changes.
func HookCredential(v secrets.Value) string {
	sum := sha256.Sum256([]byte("hook\x00" + v.Reveal()))
	return "hook:" + hex.EncodeToString(sum[:8])
}
