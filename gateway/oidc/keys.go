package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeysBytes = 1 << 20
	fetchTimeout = 5 * time.Second
	freshFor     = 10 * time.Minute // keys are fetched again after this
	retryAfter   = 10 * time.Second // but never more often than this
)

// errUnreachable means that the answer is not known, not that it is no.
var errUnreachable = errors.New("the issuer's keys cannot be read")

// keySet holds an issuer's public keys. Strangers can make it fetch at most
// once per retryAfter, whatever key ids they invent.
type keySet struct {
	issuer, url, file string
	algs              []jose.SignatureAlgorithm
	client            *http.Client
	now               func() time.Time

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time
	tried   time.Time
	lastErr error
}

func newKeySet(issuer, url, file string, algs []jose.SignatureAlgorithm) *keySet {
	return &keySet{
		issuer: issuer, url: url, file: file, algs: algs, now: time.Now,
		client: &http.Client{
			Timeout: fetchTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return errors.New("redirects are not followed")
			},
		},
	}
}

// unreachable is put into a context so that VerifySignature can say that it
// could not look, which the verifier above it would fold into "wrong".
type unreachable struct{ yes bool }

type unreachableKey struct{}

// VerifySignature checks the signature and returns the payload.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(raw, k.algs)
	if err != nil {
		return nil, fmt.Errorf("malformed token: %w", err)
	}
	if len(jws.Signatures) != 1 {
		return nil, errors.New("exactly one signature is expected")
	}
	kid := jws.Signatures[0].Header.KeyID
	for _, again := range []bool{false, true} {
		keys, err := k.get(ctx, again)
		if err != nil {
			if u, ok := ctx.Value(unreachableKey{}).(*unreachable); ok && errors.Is(err, errUnreachable) {
				u.yes = true
			}
			return nil, err
		}
		for _, key := range keys {
			if kid != "" && key.KeyID != kid || key.Use != "" && key.Use != "sig" {
				continue
			}
			if payload, err := jws.Verify(key); err == nil {
				return payload, nil
			}
		}
	}
	return nil, errors.New("no key of the issuer verifies the signature")
}

// get returns the keys, fetched when they are old or, if again is set, when a
// key is missing.
func (k *keySet) get(ctx context.Context, again bool) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	stale := k.fetched.IsZero() || now.Sub(k.fetched) > freshFor || again
	if stale && (k.tried.IsZero() || now.Sub(k.tried) > retryAfter) {
		k.tried = now
		keys, err := k.fetch(ctx)
		k.lastErr = err
		if err == nil {
			k.keys, k.fetched = keys, now
		}
	}
	if k.fetched.IsZero() {
		return nil, fmt.Errorf("%w: %w", errUnreachable, k.lastErr)
	}
	return k.keys, nil
}

func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	raw, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var out []jose.JSONWebKey
	for _, key := range set.Keys {
		if key.IsPublic() && key.Valid() { // a symmetric key must never verify a public token
			out = append(out, key)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("keys: there is no usable public key")
	}
	return out, nil
}

func (k *keySet) read(ctx context.Context) ([]byte, error) {
	if k.file != "" {
		f, err := os.Open(k.file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		return readLimited(f)
	}
	if k.url == "" {
		raw, err := k.getURL(ctx, strings.TrimSuffix(k.issuer, "/")+"/.well-known/openid-configuration")
		if err != nil {
			return nil, err
		}
		var doc struct {
			Issuer string `json:"issuer"`
			JWKS   string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(raw, &doc); err != nil || doc.Issuer != k.issuer || doc.JWKS == "" {
			return nil, errors.New("discovery: the document does not belong to the issuer")
		}
		k.url = doc.JWKS
	}
	return k.getURL(ctx, k.url)
}

func (k *keySet) getURL(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, res.Status)
	}
	return readLimited(res.Body)
}

func readLimited(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxKeysBytes+1))
	if err == nil && len(raw) > maxKeysBytes {
		err = errors.New("larger than 1 MiB")
	}
	return raw, err
}
