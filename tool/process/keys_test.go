package process

import (
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	for key, want := range map[string]string{
		"Enter": "\r", "tab": "\t", "Escape": "\x1b", "BSpace": "\x7f", "Up": "\x1b[A", "PgDn": "\x1b[6~",
		"F1": "\x1bOP", "f12": "\x1b[24~", "C-c": "\x03", "ctrl-[": "\x1b", "^d": "\x04", "C-Space": "\x00",
		"M-x": "\x1bx", "alt-Enter": "\x1b\r", "S-Tab": "\x1b[Z", "S-a": "A", "q": "q", "é": "é", "-": "-",
	} {
		got, err := encodeKey(key)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q %v, want %q", key, got, err, want)
		}
	}
	for _, key := range []string{"", "F0", "F13", "f1x", "C-", "C-enter", "Hyper-x", "Enterr"} {
		if got, err := encodeKey(key); err == nil {
			t.Errorf("%q gave %q", key, got)
		}
	}
	if _, err := encodeKeys(args{Hex: []string{"zz"}}); err == nil {
		t.Error("bad hex was accepted")
	}
}

// A pasted text must not be able to end the paste and type commands.
func TestPasteCannotBeClosedFromInside(t *testing.T) {
	for _, text := range []string{"a\x1b[201~rm -rf /\r", "a\x1b[2\x1b[201~01~rm\r"} {
		got, err := encode(args{Action: "paste", Text: text})
		inner := strings.TrimSuffix(strings.TrimPrefix(string(got), pasteStart), pasteEnd)
		if err != nil || len(inner) != len(got)-len(pasteStart)-len(pasteEnd) || strings.Contains(inner, "\x1b") {
			t.Errorf("%q %v", got, err)
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"C-c", "M-M-M-x", "^", "F5", "S-é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if b, err := encodeKey(key); err == nil && len(b) == 0 {
			t.Errorf("%q sends nothing", key)
		}
	})
}
