// Package mailtext reads a mail message into the text that a person would
// read, and its metadata: parts, charsets, nested messages, HTML as text,
// attachments by name and type only. Every size, depth and count has a limit.
package mailtext

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// Limits of a message.
const (
	MaxSize  = 32 << 20 // bytes of a message
	maxDepth = 8        // parts inside parts
	maxParts = 200
	maxText  = 8 << 20 // bytes of text that are kept

	maxHeader = 1 << 20 // bytes of a message's header
)

// Message is a mail as text.
type Message struct {
	From, To, Subject, Date string
	Text                    string
	Attachments             []Attachment
	// Cut says that a limit was reached and something is missing.
	Cut bool
}

// Attachment is a part that is not text. Its content is not read.
type Attachment struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// ErrTooLarge is a message of more than MaxSize bytes.
var ErrTooLarge = errors.New("message is larger than 32 MiB")

// Parse reads one message.
func Parse(r io.Reader) (Message, error) {
	limited := &io.LimitedReader{R: r, N: MaxSize + 1}
	msg, err := mail.ReadMessage(&headLimit{r: skipEnvelope(limited)})
	if err != nil {
		return Message{}, notMail(err)
	}
	w := walker{out: &strings.Builder{}}
	h := textproto.MIMEHeader(msg.Header)
	m := Message{From: Header(h.Get("From")), To: Header(h.Get("To")), Subject: Header(h.Get("Subject")), Date: Header(h.Get("Date"))}
	w.part(h, msg.Body, 0)
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return Message{}, fmt.Errorf("read message: %w", err)
	}
	if limited.N <= 0 {
		return Message{}, ErrTooLarge
	}
	m.Text, m.Attachments, m.Cut = strings.TrimSpace(w.out.String()), w.attachments, w.cut
	return m, nil
}

// notMail says what was wrong without quoting it.
func notMail(err error) error {
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("no mail message: it ends within its header")
	case errors.Is(err, errHeader):
		return errHeader
	}
	return errors.New("no mail message: its header has lines that are no fields")
}

// errHeader is a header of more than maxHeader bytes.
var errHeader = errors.New("no mail message: its header is larger than 1 MiB")

// skipEnvelope drops the "From " line of an mbox file.
func skipEnvelope(r io.Reader) io.Reader {
	var head [5]byte
	n, _ := io.ReadFull(r, head[:])
	rest := io.MultiReader(strings.NewReader(string(head[:n])), r)
	if string(head[:n]) != "From " {
		return rest
	}
	var b [1]byte
	for range 1000 {
		if k, err := rest.Read(b[:]); k == 1 && b[0] == '\n' || err != nil {
			break
		}
	}
	return rest
}

// headLimit refuses a header that goes on for too long. It sees line ends only,
// so that a body of any size passes.
type headLimit struct {
	r        io.Reader
	n        int
	newline  bool
	finished bool
}

func (h *headLimit) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	for i := 0; i < n && !h.finished; i++ {
		switch p[i] {
		case '\n':
			h.finished, h.newline = h.newline, true
		case '\r':
		default:
			h.newline = false
		}
		if h.n++; h.n > maxHeader {
			return 0, errHeader
		}
	}
	return n, err
}

// Header is a header's value with its encoded words decoded.
func Header(s string) string {
	dec := mime.WordDecoder{CharsetReader: func(label string, in io.Reader) (io.Reader, error) {
		return charset.NewReaderLabel(label, in)
	}}
	if len(s) > 8<<10 {
		s = s[:8<<10]
	}
	out, err := dec.DecodeHeader(s)
	if err != nil {
		out = s
	}
	return strings.ToValidUTF8(out, "\uFFFD")
}

// walker goes through the parts of a message.
type walker struct {
	out         *strings.Builder
	attachments []Attachment
	parts       int
	cut         bool
}

// part reads one part and those inside it.
func (w *walker) part(h textproto.MIMEHeader, body io.Reader, depth int) {
	if w.parts++; w.parts > maxParts || depth > maxDepth {
		w.cut = true
		return
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && kind == "" {
		kind = "text/plain"
	}
	disposition, dparams, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	name := dparams["filename"]
	if name == "" {
		name = params["name"]
	}
	body = transfer(h.Get("Content-Transfer-Encoding"), body)
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		w.multipart(kind, params["boundary"], body, depth)
	case kind == "message/rfc822" && disposition != "attachment":
		w.nested(body, depth)
	case disposition == "attachment" || !strings.HasPrefix(kind, "text/"):
		if len(w.attachments) < maxParts {
			w.attachments = append(w.attachments, Attachment{Header(name), kind})
		}
	case kind == "text/html":
		w.write(HTML(w.read(body, params["charset"])))
	default:
		w.write(w.read(body, params["charset"]))
	}
}

// multipart reads the parts of a multipart body. Of alternatives it reads all:
// what is hidden in the one that is not shown is still given to a model.
func (w *walker) multipart(kind, boundary string, body io.Reader, depth int) {
	if boundary == "" {
		w.write(w.read(body, ""))
		return
	}
	head := &recorder{r: body}
	mr := multipart.NewReader(head, boundary)
	var plain string
	for n := 0; ; n++ {
		p, err := mr.NextRawPart()
		if err != nil {
			if n == 0 { // no part at all: better the raw text than none
				w.write(w.read(strings.NewReader(string(head.kept)), ""))
			}
			w.cut = w.cut || n == 0 || !errors.Is(err, io.EOF)
			return
		}
		head.done, head.kept = true, nil
		if w.parts > maxParts {
			w.cut = true
			return
		}
		before := w.out.Len()
		w.part(p.Header, p, depth+1)
		if kind != "multipart/alternative" {
			continue
		}
		said := strings.Join(strings.Fields(w.out.String()[before:]), " ")
		if plain != "" && said == plain { // the same in HTML
			kept := w.out.String()[:before]
			w.out = &strings.Builder{}
			w.out.WriteString(kept)
		}
		plain = said
	}
}

// recorder keeps the first 64 KiB of what is read, until it is done.
type recorder struct {
	r    io.Reader
	kept []byte
	done bool
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if room := 64<<10 - len(r.kept); !r.done && room > 0 {
		r.kept = append(r.kept, p[:min(n, room)]...)
	}
	return n, err
}

// nested reads a message inside a message, with its headers as text.
func (w *walker) nested(body io.Reader, depth int) {
	msg, err := mail.ReadMessage(&headLimit{r: body})
	if err != nil {
		w.cut = true
		return
	}
	h := textproto.MIMEHeader(msg.Header)
	w.write("Forwarded message\nFrom: " + Header(h.Get("From")) + "\nSubject: " + Header(h.Get("Subject")) + "\n")
	w.part(h, msg.Body, depth+1)
}

// transfer undoes the transfer encoding.
func transfer(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, &noBlanks{r})
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	}
	return r
}

// noBlanks drops what base64 in mails has between its characters.
type noBlanks struct{ r io.Reader }

func (n *noBlanks) Read(p []byte) (int, error) {
	for {
		k, err := n.r.Read(p)
		out := p[:0]
		for _, c := range p[:k] {
			if c > ' ' {
				out = append(out, c)
			}
		}
		if len(out) > 0 || err != nil || k == 0 {
			return len(out), err
		}
	}
}

// read is a text part in UTF-8. A broken encoding gives what came before.
func (w *walker) read(r io.Reader, label string) string {
	if label != "" && !strings.EqualFold(label, "utf-8") && !strings.EqualFold(label, "us-ascii") {
		if cr, err := charset.NewReaderLabel(label, r); err == nil {
			r = cr
		}
	}
	b, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if len(b) > maxText {
		b, w.cut = b[:maxText], true
	}
	w.cut = w.cut || err != nil
	s := string(b)
	if !utf8.ValidString(s) {
		s = latin1(s)
	}
	return strings.ReplaceAll(s, "\r\n", "\n")
}

// latin1 reads bytes that are no UTF-8 as the old default of mail.
func latin1(s string) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < maxText; i++ {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// write adds a part's text, up to the limit of the whole.
func (w *walker) write(s string) {
	if s = strings.TrimSpace(s); s == "" {
		return
	}
	if room := maxText - w.out.Len(); len(s) > room {
		s, w.cut = strings.ToValidUTF8(s[:max(0, room)], ""), true
	}
	if w.out.Len() > 0 {
		w.out.WriteString("\n\n")
	}
	w.out.WriteString(s)
}
