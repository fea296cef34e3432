package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway/internal/mutate"
	"github.com/chitin-sh/chitin/secrets"
)

// Scheme is how a secret was presented.
type Scheme uint8

// The schemes.
const (
	SchemeNone   Scheme = iota
	SchemeBearer        // Authorization: Bearer
	SchemeBasic         // Authorization: Basic; the secret is the password
	SchemeFrame         // the connect frame of a WebSocket
)

// maxSecret is the longest secret that is looked at; a signed token fits.
const maxSecret = 16 << 10

// Attempt is one try at proving an identity.
type Attempt struct {
	Request *http.Request
	Conn    *Conn // nil on plain TCP
	Client  Client
	Route   *Route
	Mode    Mode
	Scheme  Scheme
	Secret  string
	// Digest is the SHA-256 of Secret: comparing digests in constant time
	// leaks neither content nor length.
	Digest [sha256.Size]byte
	off    mutate.Switch
}

// Off reports whether a test switched a defence off.
func (a *Attempt) Off(s mutate.Switch) bool { return a.off&s != 0 }

// Trusted says whether the socket's other end is a configured proxy, for
// verifiers; see Guard.
type Trusted func(*Attempt) bool

// Identity is what a verifier proved. The guard makes the Caller from it.
type Identity struct {
	Kind       Kind
	ID         string
	Credential string    // stable id of the credential, for revocation
	Tenant     string    // empty: auth.principals and auth.tenantOf decide
	Scopes     *Scope    // nil: auth.principals decide, else operator.write
	Owner      bool      // also when auth.principals say so
	Expires    time.Time // zero: never
	Narrowable bool      // the peer's scopes header is honoured
}

// Verifier proves one kind of credential. With quick it answers from memory
// or says Slow; without, it may take its time within ctx. The first verifier
// that does not answer Absent decides.
type Verifier interface {
	Kind() Kind
	Verify(ctx context.Context, a *Attempt, quick bool) (Identity, Outcome)
}

// Setup is what verifiers are built from, at start and on every reload.
type Setup struct {
	Config   Config
	Mode     Mode
	Token    secrets.Value
	Password secrets.Value
	Revoke   func(credential string) // ends everything a credential proved
	Trusted  Trusted
	Log      *slog.Logger
}

// readAuthorization takes the secret out of the Authorization header. More
// than one header, or one too long, presents a secret that is never right.
func (a *Attempt) readAuthorization() {
	vals := a.Request.Header["Authorization"]
	if len(vals) == 0 {
		return
	}
	if len(vals) > 1 || len(vals[0]) > maxSecret {
		a.present(SchemeBearer, "")
		return
	}
	scheme, rest, _ := strings.Cut(vals[0], " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		a.present(SchemeBearer, rest)
	case strings.EqualFold(scheme, "Basic"):
		if raw, err := base64.StdEncoding.DecodeString(rest); err == nil {
			if _, password, ok := strings.Cut(string(raw), ":"); ok {
				a.present(SchemeBasic, password)
				return
			}
		}
		a.present(SchemeBasic, "")
	}
}

func (a *Attempt) present(s Scheme, secret string) {
	a.Scheme, a.Secret = s, secret
	a.Digest = sha256.Sum256([]byte(secret))
}
