package toolpolicy

import (
	"bytes"
	"encoding/json"
	"strings"
)

// argFacts is what the layers need of a call's arguments without any rule.
type argFacts struct {
	host   bool // elevated, or a host other than the sandbox
	node   bool // another machine, which does not exist here
	box    bool // the sandbox by name
	writes bool // session_status with a model to set
}

// readArgs looks at the top level of a JSON object. What it cannot read counts
// as asking for the host, which is the stricter reading. It does not allocate
// unless a key that matters is present or spelled in an unusual way.
func readArgs(args []byte) argFacts {
	if !mayMatter(args) {
		return argFacts{}
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(args, &m) != nil {
		return argFacts{host: true, node: true, writes: true}
	}
	var f argFacts
	for k, raw := range m {
		switch foldKey(k) {
		case "elevated":
			f.host = f.host || !jsonOff(raw)
		case "host":
			var h string
			if json.Unmarshal(raw, &h) != nil {
				h = "?"
			}
			f.box = f.box || h == "sandbox"
			if h != "" && h != "auto" && h != "sandbox" {
				f.host = true
				f.node = f.node || h != "gateway"
			}
		case "node":
			if !jsonOff(raw) {
				f.host, f.node = true, true
			}
		case "model":
			f.writes = f.writes || !jsonOff(raw)
		}
	}
	return f
}

// foldKey is the key of argKeys that a decoder might take k for.
func foldKey(k string) string {
	for _, want := range argKeys {
		if strings.EqualFold(strings.TrimSpace(k), want) {
			return want
		}
	}
	return ""
}

// jsonOff reports whether a value says no.
func jsonOff(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "false", "null", `""`, `"off"`:
		return true
	}
	return false
}

// mayMatter is a quick look for a key that readArgs cares about: outside a
// string's escapes a key is spelled as it is, in whatever case.
func mayMatter(args []byte) bool {
	for i := 0; i < len(args); i++ {
		c := args[i]
		if c == '\\' || c >= 0x80 {
			return true // an escape or a letter that folds to ASCII may spell a key
		}
		if c != '"' {
			continue
		}
		rest := args[i+1:]
		for _, k := range argKeys {
			if len(rest) >= len(k) && foldASCII(rest[:len(k)], k) {
				return true
			}
		}
	}
	return false
}

var argKeys = [...]string{"elevated", "host", "node", "model"}

func foldASCII(b []byte, lower string) bool {
	for i := range b {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// argString is the string member of a JSON object, or "".
func argString(args []byte, key string) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(args, &m) != nil {
		return ""
	}
	var s string
	if json.Unmarshal(m[key], &s) != nil {
		return ""
	}
	return s
}
