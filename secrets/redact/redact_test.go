package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/redact"
)

func values(s ...string) []secrets.Value {
	var out []secrets.Value
	for _, x := range s {
		out = append(out, secrets.NewValue(x))
	}
	return out
}

// disguises are the ways in which a value travels.
var disguises = map[string]func(string) string{
	"raw":       func(s string) string { return s },
	"json":      func(s string) string { b, _ := json.Marshal(s); return string(b) },
	"json x2":   func(s string) string { b, _ := json.Marshal(s); b, _ = json.Marshal(string(b)); return string(b) },
	"query":     url.QueryEscape,
	"path":      url.PathEscape,
	"html":      html.EscapeString,
	"base64":    func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64url": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"basic":     func(s string) string { return base64.StdEncoding.EncodeToString([]byte("user:" + s)) },
	"in base64": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("{\"k\":\"" + s + "\"}")) },
	"hex":       func(s string) string { return hex.EncodeToString([]byte(s)) },
	"in url": func(s string) string {
		return (&url.URL{Scheme: "https", User: url.UserPassword("u", s), Host: "h"}).String()
	},
}

func TestDisguises(t *testing.T) {
	for _, secret := range []string{"hunter2-hunter2", `pa"ss\w<o>r&d/ +%1`, "ünïcödé-sécrèt", "line one of it\nline two of the secret", "short1!", "a/b+c/d+e/f+g=="} {
		r := redact.New(redact.Options{})
		r.Set(values(secret))
		for name, disguise := range disguises {
			in := "before " + disguise(secret) + " after"
			out := r.String(in)
			if !strings.Contains(out, secrets.Redacted) || !strings.HasPrefix(out, "before ") || !strings.HasSuffix(out, " after") {
				t.Errorf("%q as %s: %q", secret, name, out)
			}
			if left := longestCommon(out, disguise(secret)); left > 11 {
				t.Errorf("%q as %s leaves %d characters: %q", secret, name, left, out)
			}
		}
	}
}

func longestCommon(a, b string) int {
	best := 0
	for i := range b {
		for j := i + best + 1; j <= len(b) && strings.Contains(a, b[i:j]); j++ {
			best = j - i
		}
	}
	return best
}

func TestShortValuesMustStandAlone(t *testing.T) {
	r := redact.New(redact.Options{})
	r.Set(values("abcd", "no"))
	if got := r.String("abcd xabcd abcdx no (abcd)"); got != "**redacted** xabcd abcdx no (**redacted**)" {
		t.Fatal(got)
	}
}

func TestNothingToDo(t *testing.T) {
	var none *redact.Redactor
	if none.String("x") != "x" || string(none.Bytes([]byte("x"))) != "x" {
		t.Error("a nil redactor must pass text on")
	}
	r := redact.New(redact.Options{})
	text := []byte("nothing here")
	if got := r.Bytes(text); &got[0] != &text[0] {
		t.Error("text without secrets is copied")
	}
}

// TestChunks writes secrets in random pieces: the stream must come out as if
// it had come in one piece.
func TestChunks(t *testing.T) {
	pool := []string{"hunter2-hunter2", "secret-abc-abc-abd", "abd-overlapping", "PASSword", "line1-of-the-key\nline2-of-the-key"}
	r := redact.New(redact.Options{})
	r.Set(values(pool...))
	piece := rapid.OneOf(rapid.SampledFrom(pool), rapid.SampledFrom(pool), rapid.StringMatching(`[a-d \n-]{0,12}`))
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 1, 12).Draw(t, "pieces"), "")
		if rapid.Bool().Draw(t, "encoded") {
			text = base64.StdEncoding.EncodeToString([]byte(text))
		}
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, min(len(rest), 9)).Draw(t, "n")
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if want := r.String(text); out.String() != want {
			t.Fatalf("%q: in pieces %q, whole %q", text, out.String(), want)
		}
		for _, s := range pool {
			if strings.Contains(out.String(), s) && len(s) >= 8 {
				t.Fatalf("%q is in %q", s, out.String())
			}
		}
	})
}

type stringer struct{ s string }

func (s stringer) String() string { return "stringer " + s.s }

type hidden struct {
	Inner *struct{ Text string }
	Raw   []byte
	Err   error `json:"-"`
}

func TestLogs(t *testing.T) {
	const secret = "hunter2-hunter2"
	r := redact.New(redact.Options{})
	r.Set(values(secret))
	for _, format := range []string{"text", "json"} {
		var buf bytes.Buffer
		var h slog.Handler = slog.NewTextHandler(&buf, nil)
		if format == "json" {
			h = slog.NewJSONHandler(&buf, nil)
		}
		log := slog.New(r.Handler(h)).With("with", secret).WithGroup("g")
		log.Info("message "+secret, "string", secret, "err", fmt.Errorf("wrapped: %w", errors.New(secret)), "stringer", stringer{secret},
			"bytes", []byte(secret), "struct", hidden{Inner: &struct{ Text string }{secret}, Raw: []byte(secret), Err: errors.New(secret)},
			"map", map[string]any{"k": secret, secret: 1}, slog.Group("group", "k", secret), "lazy", slog.AnyValue(secrets.NewValue(secret)), "n", 5)
		for _, bad := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			if strings.Contains(buf.String(), bad) {
				t.Errorf("%s log shows it: %s", format, buf.String())
			}
		}
		if !strings.Contains(buf.String(), "n") {
			t.Error("attributes are lost")
		}
	}
	if got := r.Panic(errors.New(secret)); strings.Contains(got, secret) {
		t.Error(got)
	}
	if got := r.Error(fmt.Errorf("x %w", errors.New(secret))); errors.Unwrap(got) != nil || strings.Contains(got.Error(), secret) {
		t.Error(got)
	}
}

func TestSetIsAtomic(t *testing.T) {
	r := redact.New(redact.Options{})
	r.Set(values("first-secret-value", "other-secret-value"))
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 200 {
			r.Set(values("other-secret-value", "third-secret-value"))
			r.Set(values("first-secret-value", "other-secret-value"))
		}
	})
	for range 2000 {
		if got := r.String("x other-secret-value"); got != "x **redacted**" {
			t.Fatal(got)
		}
	}
	wg.Wait()
}

func FuzzStream(f *testing.F) {
	f.Add("hunter2-hunter2 and more", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = max(1, n%64)
		r := redact.New(redact.Options{})
		r.Set(values("hunter2-hunter2", "unt!", "2-hunter2 and"))
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := text; rest != ""; {
			k := min(n, len(rest))
			if _, err := io.WriteString(w, rest[:k]); err != nil {
				t.Fatal(err)
			}
			rest = rest[k:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out.String() != r.String(text) {
			t.Fatalf("%q != %q", out.String(), r.String(text))
		}
	})
}

func BenchmarkNoMatch(b *testing.B) {
	r := redact.New(redact.Options{})
	var vs []string
	for i := range 25 {
		vs = append(vs, fmt.Sprintf("secret-value-number-%d-%x", i, i*7919))
	}
	r.Set(values(vs...))
	text := bytes.Repeat([]byte("2026-11-22T15:00:00Z INFO the request went through the gateway and came back in 12 ms\n"), 1<<13)
	perCPU(b, len(text), func() {
		if got := r.Bytes(text); &got[0] != &text[0] {
			b.Fatal("matched")
		}
	})
}

// perCPU reports the rate by processor time, which other work on the machine
// does not change.
func perCPU(b *testing.B, bytes int, run func()) {
	cpu := func() float64 {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
	}
	b.SetBytes(int64(bytes))
	start := cpu()
	n := 0
	for b.Loop() {
		run()
		n++
	}
	b.ReportMetric(float64(n)*float64(bytes)/1e6/(cpu()-start), "MB/cpu-s")
}

func BenchmarkFirstUse(b *testing.B) {
	var vs []string
	for i := range 25 {
		vs = append(vs, fmt.Sprintf("secret-value-number-%d-%x", i, i*7919))
	}
	for b.Loop() {
		r := redact.New(redact.Options{})
		r.Set(values(vs...))
		_ = r.String("x")
	}
}

func TestSessionKeysAreNoSecrets(t *testing.T) {
	r := redact.New(redact.Options{})
	const in = `{"childSessionKey":"agent:main:subagent:5hx2k3j4l5m6n7o2q3r4s5t6u7","callerSessionKey": "agent:main:cron:k3j4l5m6n7"}`
	if got := r.String(in); got != in {
		t.Errorf("redacted: %s", got)
	}
}
