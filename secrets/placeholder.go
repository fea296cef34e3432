package secrets

import "strings"

// IsPlaceholder reports whether a value is a redaction mark that was written
// where the secret should be: ours, OpenClaw's, or a row of asterisks.
func IsPlaceholder(v Value) bool {
	s := strings.TrimSpace(v.Reveal())
	if s == "" {
		return false
	}
	if strings.Trim(s, "*•█") == "" {
		return true
	}
	inner := strings.ToLower(strings.Trim(s, "*_[]<>(){}\"' "))
	switch inner {
	case "redacted", "openclaw_redacted", "chitin_redacted", "masked", "hidden", "secret redacted", "value redacted":
		return true
	}
	return false
}
