package process

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

const maxKey = 32

// encodeKeys turns key names, hex bytes and literal text into what a terminal
// would send.
func encodeKeys(a args) ([]byte, error) {
	out := []byte(a.Literal)
	for _, h := range a.Hex {
		b, err := hex.DecodeString(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(h)), "0x"))
		if err != nil {
			return nil, fmt.Errorf("invalid hex byte %q", h)
		}
		out = append(out, b...)
	}
	for _, k := range a.Keys {
		b, err := encodeKey(k)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
	}
	return out, nil
}

// encodeKey is one key: a name, a single character, or either with C- (^),
// M- or S- before it.
func encodeKey(name string) ([]byte, error) {
	if len(name) > maxKey {
		return nil, fmt.Errorf("unknown key %.20q", name)
	}
	if seq := namedKey(strings.ToLower(name)); seq != "" {
		return []byte(seq), nil
	}
	if utf8.RuneCountInString(name) == 1 {
		return []byte(name), nil
	}
	prefix, rest, ok := strings.Cut(name, "-")
	if !ok && strings.HasPrefix(name, "^") {
		prefix, rest, ok = "c", name[1:], true
	}
	if !ok || rest == "" {
		return nil, fmt.Errorf("unknown key %q", name)
	}
	switch strings.ToLower(prefix) {
	case "c", "ctrl":
		return control(rest)
	case "m", "alt":
		b, err := encodeKey(rest)
		return append([]byte{0x1b}, b...), err
	case "s", "shift":
		if strings.EqualFold(rest, "tab") {
			return []byte("\x1b[Z"), nil
		}
		return []byte(strings.ToUpper(rest)), nil
	}
	return nil, fmt.Errorf("unknown key %q", name)
}

func control(key string) ([]byte, error) {
	if strings.EqualFold(key, "space") {
		return []byte{0}, nil
	}
	if len(key) == 1 {
		c := strings.ToUpper(key)[0]
		if c >= '@' && c <= '_' {
			return []byte{c & 0x1f}, nil
		}
		if c == '?' {
			return []byte{0x7f}, nil
		}
	}
	return nil, fmt.Errorf("unknown key %q", "C-"+key)
}

func namedKey(name string) string {
	switch name {
	case "enter", "return", "cr":
		return "\r"
	case "tab":
		return "\t"
	case "space":
		return " "
	case "escape", "esc":
		return "\x1b"
	case "backspace", "bspace":
		return "\x7f"
	case "up":
		return "\x1b[A"
	case "down":
		return "\x1b[B"
	case "right":
		return "\x1b[C"
	case "left":
		return "\x1b[D"
	case "home":
		return "\x1b[H"
	case "end":
		return "\x1b[F"
	case "insert", "ic":
		return "\x1b[2~"
	case "delete", "del", "dc":
		return "\x1b[3~"
	case "pageup", "pgup", "ppage":
		return "\x1b[5~"
	case "pagedown", "pgdn", "npage":
		return "\x1b[6~"
	}
	var n int
	if _, err := fmt.Sscanf(name, "f%d", &n); err == nil && n >= 1 && n <= 12 && name == fmt.Sprintf("f%d", n) {
		return [...]string{"\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", "\x1b[15~", "\x1b[17~", "\x1b[18~", "\x1b[19~", "\x1b[20~", "\x1b[21~", "\x1b[23~", "\x1b[24~"}[n-1]
	}
	return ""
}
