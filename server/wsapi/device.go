package wsapi

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// device is the signed identity that clients of the peer send. It grants
// nothing here, but what is sent must be true.
type device struct {
	ID        string `json:"id"`
	PublicKey string `json:"publicKey"`
	Signature string `json:"signature"`
	SignedAt  int64  `json:"signedAt"`
	Nonce     string `json:"nonce"`
}

const maxSkew = 2 * time.Minute

// verify checks that the device signed exactly this handshake: the challenge,
// who it says it is, what it asks for and the secret it presents.
func (p *connectParams) verify(nonce string, now time.Time) *wireError {
	d := p.Device
	if d == nil {
		return nil
	}
	bad := func(why string) *wireError {
		return &wireError{Code: codeInvalid, Message: "device identity: " + why, Details: map[string]any{"code": "DEVICE_AUTH_INVALID"}}
	}
	key, err := decodeBase64(d.PublicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return bad("the public key is not an Ed25519 key")
	}
	sum := sha256.Sum256(key)
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(strings.ToLower(d.ID))) != 1 {
		return bad("the id does not belong to the public key")
	}
	if subtle.ConstantTimeCompare([]byte(d.Nonce), []byte(nonce)) != 1 {
		return bad("the nonce is not the one of the challenge")
	}
	if skew := now.Sub(time.UnixMilli(d.SignedAt)); skew > maxSkew || skew < -maxSkew {
		return bad("the signature is too old or from the future")
	}
	sig, err := decodeBase64(d.Signature)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return bad("the signature is malformed")
	}
	for _, payload := range p.payloads() {
		if ed25519.Verify(key, []byte(payload), sig) {
			return nil
		}
	}
	return bad("the signature does not match")
}

// payloads are the texts that a device may have signed: with the platform, or
// in the older form without, which is accepted only when there is no platform
// to change unnoticed.
func (p *connectParams) payloads() []string {
	d := p.Device
	scopes := ""
	if p.Scopes != nil {
		scopes = strings.Join(*p.Scopes, ",")
	}
	body := fmt.Sprintf("%s|%s|%s|%s|%s|%d|%s|%s", d.ID, p.Client.ID, p.Client.Mode, p.Role, scopes, d.SignedAt, p.Auth.secret(), d.Nonce)
	out := []string{"v3|" + body + "|" + p.Client.Platform + "|" + p.Client.DeviceFamily}
	if p.Client.DeviceFamily == "" {
		out = append(out, "v2|"+body)
	}
	return out
}

func decodeBase64(s string) ([]byte, error) {
	s = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(s), "=")
	return base64.RawURLEncoding.DecodeString(s)
}
