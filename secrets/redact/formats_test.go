package redact_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/secrets/redact"
)

// unknown are texts with credentials that nobody told the redactor about, and
// the part that must not come through.
func unknown() map[string][2]string {
	token := rand.Text() + "a1"
	body := make([]byte, 600)
	_, _ = rand.Read(body)
	enc := base64.StdEncoding.EncodeToString(body)
	key := "-----BEGIN " + "PRIVATE KEY-----\n" + enc[:400] + "\n" + enc[400:] + "\n-----END " + "PRIVATE KEY-----\n"
	return map[string][2]string{
		"header":      {"> Authorization: Bearer " + token + "\n", token},
		"assignment":  {"export DB_PASSWORD=" + token + "\n", token},
		"address":     {"cloning https://deploy:" + token + "@git.example/x.git\n", token},
		"prefixed":    {"key gh" + "p_" + token + "abcdefgh in use\n", token},
		"private key": {"reading\n" + key + "done\n", enc[100:200]},
		"JSON":        {`{"clientSecret":"` + token + `","n":1}` + "\n", token},
	}
}

func TestUnknownCredentials(t *testing.T) {
	all, known := redact.New(redact.Options{}), redact.New(redact.Options{ValuesOnly: true})
	for name, x := range unknown() {
		out := all.String("before\n" + x[0] + "after\n")
		if strings.Contains(out, x[1]) || !strings.HasPrefix(out, "before\n") || !strings.HasSuffix(out, "after\n") {
			t.Errorf("%s: %s", name, out)
		}
		if known.String(x[0]) != x[0] {
			t.Errorf("%s is redacted although only values should be", name)
		}
	}
}

// TestUnknownCredentialsInChunks cuts the text everywhere and into pieces of
// every small size.
func TestUnknownCredentialsInChunks(t *testing.T) {
	r := redact.New(redact.Options{})
	for name, x := range unknown() {
		for _, size := range []int{1, 2, 3, 7, 16, 64, 333} {
			var out bytes.Buffer
			w := r.Writer(&out)
			for rest := "before\n" + x[0] + "after\n"; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(w, rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), x[1]) || !strings.HasSuffix(out.String(), "after\n") {
				t.Errorf("%s in pieces of %d: %s", name, size, out.String())
			}
		}
	}
}

// TestOrdinaryTextStays is what an agent reads and writes all day.
func TestOrdinaryTextStays(t *testing.T) {
	r := redact.New(redact.Options{})
	for _, text := range []string{
		"ok  \tgithub.com/x/y\t0.012s\n--- PASS: TestTokenParser2 (0.00s)\n",
		"commit 18b4340f3c2d1e0a9b8c7d6e5f4a3b2c1d0e9f8a\nAuthor: a <a@example>\n",
		"func (c *Client) token(ctx context.Context) (string, error) { return c.source.Token() }\n",
		"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  file.tar.gz\n",
		"id=7f0c1e9a-6d0b-4a3e-9c1f-0d5b8a7c6e5f took=12ms path=/v1/items/42?page=2&sort=name\n",
		"-rw-r--r-- 1 root root 4096 Nov 22 16:03 secret_scanner_test.go\n",
	} {
		if got := r.String(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestNothingIsHeldForLong: an interactive prompt appears once flushed, and a
// stream without line ends is not kept for ever.
func TestNothingIsHeldForLong(t *testing.T) {
	r := redact.New(redact.Options{})
	var out bytes.Buffer
	w := r.Writer(&out)
	fmt.Fprint(w, "Continue? [y/N] ")
	if err := w.Flush(); err != nil || out.String() != "Continue? [y/N] " {
		t.Errorf("prompt: %q %v", out.String(), err)
	}
	out.Reset()
	long := strings.Repeat("ab", 1<<20)
	fmt.Fprint(w, long)
	if out.Len() < len(long)/2 {
		t.Errorf("only %d of %d bytes came through", out.Len(), len(long))
	}
	if err := w.Close(); err != nil || out.String() != long {
		t.Errorf("the text changed: %v", err)
	}
}

// TestDripCostsLittle sends the beginning of a key that never ends, a byte at
// a time, as a program that wants to burn our time would.
func TestDripCostsLittle(t *testing.T) {
	w := redact.New(redact.Options{}).Writer(io.Discard)
	fmt.Fprint(w, "-----BEGIN "+"PRIVATE KEY-----\n")
	one := []byte("A")
	allocs := testing.AllocsPerRun(20000, func() { _, _ = w.Write(one) })
	if allocs > 1 {
		t.Errorf("%v allocations a byte: each one was looked at with everything before it", allocs)
	}
}
