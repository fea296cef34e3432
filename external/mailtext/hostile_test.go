package mailtext

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// nest is a multipart message, depth parts inside each other.
func nest(depth int) string {
	var b strings.Builder
	b.WriteString("Subject: nested\n")
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n\nlevel %d\n--b%d\n", i, i, i, i)
	}
	b.WriteString("Content-Type: text/plain\n\nbottom\n")
	for i := depth - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--b%d--\n", i)
	}
	return b.String()
}

// What hostile senders do to a message: something readable comes out, nothing
// of an attachment does, and what is missing is said.
func TestHostile(t *testing.T) {
	t.Parallel()
	alternative := "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nseen\n--b\nContent-Type: text/html\n\n<p>hidden order</p>\n--b--\n"
	for _, c := range []struct {
		name, in, want, never string
		cut                   bool
	}{
		{"fifty deep", nest(50), "level 3", "bottom", true},
		{"six deep", nest(6), "bottom", "", false},
		{"unknown charset", "Content-Type: text/plain; charset=klingon\n\nhello", "hello", "", false},
		{"wrong charset", "Content-Type: text/plain; charset=utf-16\n\nhello there!", "", "\x00", false},
		{"charset that lies", "Content-Type: text/plain; charset=us-ascii\n\ncaf\xc3\xa9", "café", "", false},
		{"UTF-7", "Content-Type: text/plain; charset=utf-7\n\n+ADw-b+AD4-", "+ADw-b", "", false},
		{"unknown transfer encoding", "Content-Transfer-Encoding: x-magic\n\nhello", "hello", "", false},
		{"broken base64", "Content-Transfer-Encoding: base64\n\naGVsbG8g!!!!", "hello", "", true},
		{"broken quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\na=3Db=ZZ", "a=b", "", false},
		{"no boundary", "Content-Type: multipart/mixed\n\nhello", "hello", "", false},
		{"boundary that never comes", "Content-Type: multipart/mixed; boundary=zzz\n\nhello", "hello", "", true},
		{"boundary that never ends", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n", "hello", "", true},
		{"broken type", "Content-Type: ;;;===\n\nhello", "hello", "", false},
		{"type twice", "Content-Type: text/plain\nContent-Type: application/pdf\n\nhello", "hello", "", false},
		{"another text in HTML", alternative, "hidden order", "", false},
		{"attachment of text", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=\"a.txt\"\n\nSECRET\n--b--\n", "x", "SECRET", false},
		{"a message as attachment", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\nContent-Type: message/rfc822\nContent-Disposition: attachment\n\nSubject: y\n\nSECRET\n--b--\n", "x", "SECRET", false},
		{"picture in line", "Content-Type: image/png\nContent-Disposition: inline\n\nSECRET", "", "SECRET", false},
		{"NUL", "Subject: a\x00b\n\nhello\x00", "hello", "", false},
	} {
		m, err := Parse(strings.NewReader(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !strings.Contains(m.Text, c.want) || c.never != "" && strings.Contains(m.Text, c.never) || m.Cut != c.cut {
			t.Errorf("%s: %q, cut %v", c.name, m.Text, m.Cut)
		}
	}
}

func TestNamesOfAttachments(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]Attachment{
		"Content-Type: application/pdf; name=\"../../etc/passwd\"":                                      {"../../etc/passwd", "application/pdf"},
		"Content-Type: application/x-sh\nContent-Disposition: attachment; filename*=utf-8''a%E2%80%AEb": {"a\u202eb", "application/x-sh"},
		"Content-Type: application/zip; name=\"=?utf-8?B?w6Q=?=.zip\"":                                  {"ä.zip", "application/zip"},
		"Content-Type: image/png": {"", "image/png"},
	} {
		m, err := Parse(strings.NewReader(header + "\n\nSECRET"))
		if err != nil || len(m.Attachments) != 1 || m.Attachments[0] != want || m.Text != "" {
			t.Errorf("%q: %+v %v", header, m, err)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	huge := "Subject: x\nX-Long: " + strings.Repeat("y", 2<<20) + "\n\nhello"
	if _, err := Parse(strings.NewReader(huge)); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("a huge header: %v", err)
	}
	many := strings.Repeat("X-A: b\n", 300_000) + "\nhello"
	if _, err := Parse(strings.NewReader(many)); err == nil {
		t.Error("many headers were read")
	}
	large := "Subject: x\n\n" + strings.Repeat("y\n", 2<<20)
	if m, err := Parse(strings.NewReader(large)); err != nil || len(m.Text) != 4<<20-1 {
		t.Errorf("a large body: %d bytes, %v", len(m.Text), err)
	}
	inner := "Content-Type: message/rfc822\n\nX-Long: " + strings.Repeat("y", 2<<20) + "\n\nhello"
	if m, err := Parse(strings.NewReader(inner)); err != nil || !m.Cut {
		t.Errorf("a huge header inside: cut %v, %v", m.Cut, err)
	}
	for _, in := range []string{"", "\x1b[2J no header\n\nx", "Subject", "\x00\x01\x02"} {
		if _, err := Parse(strings.NewReader(in)); err == nil || strings.ContainsAny(err.Error(), "\x1b\x00") || !strings.HasPrefix(err.Error(), "no mail message") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// No message costs very much for its size.
func TestCost(t *testing.T) {
	t.Parallel()
	part := "--b\nContent-Type: text/html\n\n"
	for name, in := range map[string]string{
		"boundaries":      "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n", 100_000),
		"alternatives":    "Content-Type: multipart/alternative; boundary=b\n\n" + strings.Repeat("--b\n\n"+strings.Repeat("word ", 1000)+"\n", 180),
		"open tags":       "Content-Type: text/html\n\n" + strings.Repeat("<", 512<<10),
		"comments":        "Content-Type: text/html\n\n" + strings.Repeat("<!--", 100_000),
		"attributes":      "Content-Type: text/html\n\n<a " + strings.Repeat("alt=x ", 80_000) + ">",
		"nested elements": "Content-Type: text/html\n\n" + strings.Repeat("<div><p>", 60_000),
		"entities":        "Content-Type: text/html\n\n" + strings.Repeat("&amp;&", 80_000),
		"base64":          "Content-Transfer-Encoding: base64\n\n" + strings.Repeat("A\n", 256<<10),
		"encoded words":   "Subject: " + strings.Repeat("=?utf-8?q?a?= ", 60_000) + "\n\nx",
		"html in parts":   "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat(part+strings.Repeat("<b>x</b>", 300)+"\n", 190),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := Parse(strings.NewReader(in))
		runtime.ReadMemStats(&after)
		if took, grew := time.Since(start), after.TotalAlloc-before.TotalAlloc; took > 20*time.Second || grew > 2<<30 {
			t.Errorf("%s: %d bytes took %v and %d MiB (%v)", name, len(in), took, grew>>20, err)
		}
	}
}

// Whatever the message, its text is UTF-8, bounded, and holds nothing of what
// was attached.
func FuzzMail(f *testing.F) {
	f.Add("text/html", "base64", "attachment", "<p>x", 3)
	f.Add("multipart/mixed; boundary=b", "7bit", "inline", "--b\n\nx\n--b--", 1)
	f.Add("message/rfc822", "quoted-printable", "", "Subject: =?x?q?=00?=\n\n=41", 9)
	f.Fuzz(func(t *testing.T, kind, encoding, disposition, body string, depth int) {
		const secret = "XATTACHEDX"
		clean := strings.NewReplacer("\r", "", "\n", "").Replace
		inner := "Content-Type: " + clean(kind) + "\nContent-Transfer-Encoding: " + clean(encoding) + "\nContent-Disposition: " + clean(disposition) + "\n\n" + strings.ReplaceAll(body, secret, "")
		attached := "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(secret))
		for i := range min(max(depth, 0), 12) {
			inner = fmt.Sprintf("Content-Type: multipart/mixed; boundary=n%d\n\n--n%d\n%s\n--n%d\n%s\n--n%d--\n", i, i, inner, i, attached, i)
		}
		m, err := Parse(strings.NewReader(inner))
		if err != nil {
			return
		}
		if len(m.Text) > maxText || !utf8.ValidString(m.Text) || !utf8.ValidString(m.Subject) || strings.Contains(m.Text, secret) || len(m.Attachments) > maxParts {
			t.Fatalf("%q: %d bytes, %d attachments, %.200q", inner, len(m.Text), len(m.Attachments), m.Text)
		}
		for _, a := range m.Attachments {
			if !utf8.ValidString(a.Name) || !utf8.ValidString(a.Type) {
				t.Fatalf("%q: attachment %q %q", inner, a.Name, a.Type)
			}
		}
	})
}
