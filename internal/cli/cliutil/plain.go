package cliutil

import (
	"strconv"
	"strings"
	"unicode"
)

// Plain makes a text safe for a terminal: control characters and those that
// change the direction or hide text are shown as escapes.
func Plain(s string) string {
	ok := true
	for _, r := range s {
		if !unicode.IsPrint(r) {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
