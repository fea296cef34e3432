// Package token proves callers by bearer tokens: the gateway's own token and
// the named tokens that live in the state directory's database.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"strings"
)

// Prefix begins every named token, so that secret scanners recognise one.
const Prefix = "chtn_"

const (
	alphabet   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	bodyLength = 32 // 190 bits of chance
	sumLength  = 6
	// Length is the length of a whole named token.
	Length = len(Prefix) + bodyLength + sumLength
)

// Digest is what is stored and compared instead of a token. A token has enough
// chance in it that a plain hash cannot be reversed.
type Digest = [sha256.Size]byte

// generate makes a new token.
func generate() (string, error) {
	body := make([]byte, 0, bodyLength)
	buf := make([]byte, 2*bodyLength)
	for len(body) < bodyLength {
		if _, err := rand.Read(buf); err != nil {
			return "", fmt.Errorf("make token: %w", err)
		}
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte: no character is likelier.
			if b < 248 && len(body) < bodyLength {
				body = append(body, alphabet[b%62])
			}
		}
	}
	return Prefix + string(body) + checksum(string(body)), nil
}

// checksum is the CRC-32 of the body in base 62: it tells a token from text
// that only looks like one, without asking the database.
func checksum(body string) string {
	n := crc32.ChecksumIEEE([]byte(body))
	var out [sumLength]byte
	for i := sumLength - 1; i >= 0; i-- {
		out[i] = alphabet[n%62]
		n /= 62
	}
	return string(out[:])
}

// WellFormed reports whether s has the shape and checksum of a named token.
func WellFormed(s string) bool {
	body, ok := strings.CutPrefix(s, Prefix)
	if !ok || len(s) != Length {
		return false
	}
	for i := 0; i < len(body); i++ {
		if strings.IndexByte(alphabet, body[i]) < 0 {
			return false
		}
	}
	return checksum(body[:bodyLength]) == body[bodyLength:]
}
