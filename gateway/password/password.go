// Package password proves callers by the gateway's password, as a bearer
// secret, as HTTP Basic or in a WebSocket's connect frame. Passwords are
// guessable, so each comparison costs an Argon2id hash, one at a time.
package password

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/internal/mutate"
	"github.com/chitin-sh/chitin/secrets"
	"golang.org/x/crypto/argon2"
)

// Argon2id's cost: 19 MiB and two passes, about 40 ms.
const (
	memoryKiB = 19 * 1024
	passes    = 2
	lanes     = 1
	keyLength = 32
	// What a stored hash may ask for, so that a hostile one cannot eat the machine.
	maxMemoryKiB = 256 * 1024
	maxPasses    = 16
	maxLanes     = 8
)

// hash is a parsed Argon2id hash.
type hash struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

// Hash makes an Argon2id hash in PHC form, for configurations.
func Hash(password string) (string, error) {
	h, err := newHash(password)
	if err != nil {
		return "", err
	}
	e := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes, e.EncodeToString(h.salt), e.EncodeToString(h.key)), nil
}

func newHash(password string) (*hash, error) {
	h := &hash{memory: memoryKiB, passes: passes, lanes: lanes, salt: make([]byte, 16)}
	if _, err := rand.Read(h.salt); err != nil {
		return nil, fmt.Errorf("hash password: %w", err)
	}
	h.key = h.derive(password)
	return h, nil
}

func (h *hash) derive(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, keyLength)
}

var errHash = errors.New("not an Argon2id hash of the form $argon2id$v=19$m=…,t=…,p=…$salt$key")

// parseHash reads the PHC form.
func parseHash(s string) (*hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errHash
	}
	h := &hash{}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil || n != 3 {
		return nil, errHash
	}
	if h.memory < 8*uint32(h.lanes) || h.memory > maxMemoryKiB || h.passes < 1 || h.passes > maxPasses || h.lanes < 1 || h.lanes > maxLanes {
		return nil, fmt.Errorf("%w: its cost is out of range", errHash)
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
	h.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) != keyLength {
		return nil, errHash
	}
	return h, nil
}

// Verifier proves the password.
type Verifier struct {
	localOnly bool
	parsed    func() (*hash, error)
	one       chan struct{} // hashes are made one at a time: each takes 19 MiB

	mu    sync.RWMutex
	known bool
	right [sha256.Size]byte // keyed digest of the password that proved right
	key   [sha256.Size]byte
}

// NewVerifier accepts a password, given as text or as its Argon2id hash. With
// localOnly it answers only clients on this machine, which is how a gateway
// behind a proxy stays reachable for its owner.
func NewVerifier(p secrets.Value, localOnly bool) (*Verifier, error) {
	v := &Verifier{localOnly: localOnly, one: make(chan struct{}, 1)}
	if _, err := rand.Read(v.key[:]); err != nil {
		return nil, err
	}
	if text := p.Reveal(); strings.HasPrefix(text, "$argon2id$") {
		h, err := parseHash(text)
		if err != nil {
			return nil, &gateway.StartError{Code: 1, Message: "gateway.auth.password is " + err.Error(), Hint: "make one with: chitin token hash-password"}
		}
		v.parsed = func() (*hash, error) { return h, nil }
	} else {
		// Hashed when first needed: starting must not cost a hash.
		v.parsed = sync.OnceValues(func() (*hash, error) { return newHash(text) })
	}
	return v, nil
}

// Kind is password.
func (v *Verifier) Kind() gateway.Kind { return gateway.KindPassword }

// Verify answers from memory for the password that was right before and makes
// everything else pay for a hash.
func (v *Verifier) Verify(ctx context.Context, a *gateway.Attempt, quick bool) (gateway.Identity, gateway.Outcome) {
	if a.Scheme == gateway.SchemeNone || v.localOnly && !a.Client.Local && !a.Off(mutate.Loopback) {
		return gateway.Identity{}, gateway.Absent
	}
	keyed := sha256.Sum256(append(v.key[:], a.Digest[:]...))
	v.mu.RLock()
	hit := v.known && subtle.ConstantTimeCompare(v.right[:], keyed[:]) == 1
	v.mu.RUnlock()
	switch {
	case hit:
		return identity(), gateway.Right
	case a.Secret == "":
		return gateway.Identity{}, gateway.Wrong
	case quick:
		return gateway.Identity{}, gateway.Slow
	}
	return v.slow(ctx, a, keyed)
}

func (v *Verifier) slow(ctx context.Context, a *gateway.Attempt, keyed [sha256.Size]byte) (gateway.Identity, gateway.Outcome) {
	select {
	case v.one <- struct{}{}:
		defer func() { <-v.one }()
	case <-ctx.Done():
		return gateway.Identity{}, gateway.Unavailable
	}
	h, err := v.parsed()
	if err != nil {
		return gateway.Identity{}, gateway.Unavailable
	}
	if subtle.ConstantTimeCompare(h.derive(a.Secret), h.key) != 1 && !a.Off(mutate.Compare) {
		return gateway.Identity{}, gateway.Wrong
	}
	v.mu.Lock()
	v.known, v.right = true, keyed
	v.mu.Unlock()
	return identity(), gateway.Right
}

func identity() gateway.Identity {
	all := gateway.AllScopes
	return gateway.Identity{
		Kind: gateway.KindPassword, ID: "main", Credential: gateway.CredentialPassword,
		Tenant: gateway.DefaultTenant, Scopes: &all, Owner: true,
	}
}
