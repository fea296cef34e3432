package mcpclient

import (
	"fmt"
	"strings"
)

// Sep is between a server's name and its tool's. A server's name has no
// underscore, so the first Sep is the only one that counts.
const Sep = "__"

// maxMounted is the longest name that models' interfaces take.
const maxMounted = 64

// ValidServer reports whether s can name a server.
func ValidServer(s string) bool {
	if s == "" || len(s) > 32 || s[0] < 'a' || s[0] > 'z' || s == "mcp" || s == "bundle-mcp" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// Mount is the name that a server's tool has here: letters become lower case,
// . and / become _, and every other character that no model takes is refused
// rather than replaced.
func Mount(server, tool string) (string, error) {
	var b strings.Builder
	b.WriteString(server + Sep)
	for i := range len(tool) {
		switch c := tool[i]; {
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c | 0x20)
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		case c == '.' || c == '/':
			b.WriteByte('_')
		default:
			return "", fmt.Errorf("its name has characters other than letters, digits and _ - . /")
		}
	}
	switch {
	case tool == "":
		return "", fmt.Errorf("it has no name")
	case b.Len() > maxMounted:
		return "", fmt.Errorf("its name is too long: %d of at most %d bytes with the server's", b.Len(), maxMounted)
	}
	return b.String(), nil
}

// ServerOf is the server's part of a mounted name.
func ServerOf(mounted string) (string, bool) {
	server, rest, ok := strings.Cut(mounted, Sep)
	return server, ok && rest != "" && ValidServer(server)
}

// Source is how results of a server are labelled.
func Source(server string) string { return "mcp:" + server }
