package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"time"

	"github.com/chitin-sh/chitin/gateway/internal/mint"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
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
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 && mutate.Switch(g.off.Load())&mutate.Compare == 0 {
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

// Budget bounds the wrong secrets that each client may present to something
// that proves callers itself, such as webhooks.
type Budget struct {
	guard *Guard
	limit *limiter
}

// NewBudget allows max wrong secrets per window and then refuses the client,
// the right secret included, for as long as lockout. Loopback is not exempt.
func (g *Guard) NewBudget(max int, window, lockout time.Duration) *Budget {
	return &Budget{guard: g, limit: newLimiter(limits{max: max, window: window, lockout: lockout}, g.deps.Now)}
}

// Try runs a quick comparison under the budget. wait is positive when the
// client is locked out and nothing was compared.
func (b *Budget) Try(c Client, right func() bool) (ok bool, wait time.Duration) {
	at := Attempt{off: mutate.Switch(b.guard.off.Load())}
	out, wait, _ := b.limit.tryOff(newLimitKey(c), &at, func() Outcome {
		if right() {
			return Right
		}
		return Wrong
	})
	return out == Right && wait == 0, wait
}
