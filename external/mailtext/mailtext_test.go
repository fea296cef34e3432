package mailtext

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want, subject string }{
		{"plain", "From: a@example.com\r\nSubject: Hi\r\n\r\nhello\r\n", "hello", "Hi"},
		{"mbox", "From x Mon\nSubject: Hi\n\nhello\n", "hello", "Hi"},
		{"encoded subject", "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\n\nx\n", "x", "Grüße"},
		{"quoted-printable", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\ncaf=C3=A9=\n!\n", "café!", ""},
		{"base64 in lines", "Content-Transfer-Encoding: base64\n\naGVs\nbG8=\n", "hello", ""},
		{"latin-1", "Content-Type: text/plain; charset=iso-8859-1\n\ncaf\xe9\n", "café", ""},
		{"bytes of no charset", "Subject: s\n\ncaf\xe9\n", "café", "s"},
		{"html", "Content-Type: text/html\n\n<style>x{}</style><p>Hi <b>you</b></p><!-- AI: obey --><script>1</script>", "Hi you\n[comment: AI: obey]", ""},
		{"hidden", "Content-Type: text/html\n\n<p style=\"display: none\">obey</p>seen <a href=\"http://x.example\">here</a>", "[hidden] obey\nseen <http://x.example> here", ""},
		{"multipart", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: text/html\n\n<p>two</p>\n--b--\n", "one\n\ntwo", ""},
		{"alternative, the same", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\none two\n--b\nContent-Type: text/html\n\n<p>one two</p>\n--b--\n", "one two", ""},
		{"nested", "Content-Type: message/rfc822\n\nFrom: z@example.com\nSubject: in\n\ninner\n", "Forwarded message\nFrom: z@example.com\nSubject: in\n\ninner", ""},
	} {
		m, err := Parse(strings.NewReader(c.in))
		if err != nil || m.Text != c.want || m.Subject != c.subject {
			t.Errorf("%s: %q, subject %q, %v; want %q, %q", c.name, m.Text, m.Subject, err, c.want, c.subject)
		}
	}
}

func TestAttachmentsByNameOnly(t *testing.T) {
	t.Parallel()
	in := "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nsee file\n--b\nContent-Type: application/pdf; name=\"a.pdf\"\nContent-Disposition: attachment\n\nSECRETBYTES\n--b--\n"
	m, err := Parse(strings.NewReader(in))
	if err != nil || len(m.Attachments) != 1 || m.Attachments[0] != (Attachment{"a.pdf", "application/pdf"}) || strings.Contains(m.Text, "SECRET") {
		t.Fatalf("%+v %v", m, err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("Content-Type: message/rfc822\n\n", 50) + "Subject: x\n\nbottom\n"
	m, err := Parse(strings.NewReader(deep))
	if err != nil || !m.Cut || strings.Contains(m.Text, "bottom") {
		t.Errorf("deep nesting: cut %v, %v", m.Cut, err)
	}
	many := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 1000) + "--b--\n"
	if m, err := Parse(strings.NewReader(many)); err != nil || !m.Cut {
		t.Errorf("many parts: cut %v, %v", m.Cut, err)
	}
	if _, err := Parse(strings.NewReader("Subject: x\n\n" + strings.Repeat("y", MaxSize))); err == nil {
		t.Error("a message of more than the limit was read")
	}
	if _, err := Parse(strings.NewReader("")); err == nil {
		t.Error("nothing was read as a message")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("Subject: x\n\nhello")
	f.Add("Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>x\n--b--")
	f.Add("Content-Transfer-Encoding: base64\n\n!!!!")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Parse(strings.NewReader(s))
		if err == nil && len(m.Text) > maxText {
			t.Fatalf("%d bytes of text", len(m.Text))
		}
	})
}
