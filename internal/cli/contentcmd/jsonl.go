package contentcmd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/chitin-sh/chitin/external/detect"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/swar"
)

// maxTold is how many bad lines are told of one by one.
const maxTold = 20

// scanLines answers every line of r with one of w, in order. A line that is no
// row is answered with what is wrong with it and told of on errs; those after
// it are scanned all the same, and the error comes at the end.
func scanLines(r io.Reader, w, errs io.Writer, d *detect.Detector) (flagged bool, err error) {
	in, out := bufio.NewReaderSize(r, 1<<18), bufio.NewWriterSize(w, 1<<16)
	defer func() {
		if e := out.Flush(); err == nil {
			err = e
		}
	}()
	var row row
	var answer []byte
	bad := 0
	for n := 1; ; n++ {
		line, more, err := row.line(in)
		if err != nil && !errors.Is(err, errTooLong) {
			return flagged, cliutil.WithHint(fmt.Errorf("line %d: %w", n, err), "chitin content scan --jsonl < rows.jsonl")
		}
		blank := err == nil && len(bytes.TrimSpace(line)) == 0
		if err == nil && !blank {
			err = row.parse(line)
		}
		switch {
		case err != nil:
			if bad++; bad <= maxTold {
				_, _ = fmt.Fprintf(errs, "line %d: %v\n", n, err)
			}
			answer = appendError(answer[:0], n, err)
		case !blank:
			report := d.Scan(unsafe.String(unsafe.SliceData(row.text), len(row.text))) // read only, and not kept
			flagged = flagged || report.Flagged
			answer = append(appendReport(answer[:0], string(row.id), report), '\n')
		}
		if !blank {
			if _, err := out.Write(answer); err != nil {
				return flagged, err
			}
		}
		if !more {
			return flagged, badLines(bad)
		}
	}
}

// badLines is the error about lines that were no rows.
func badLines(n int) error {
	if n == 0 {
		return nil
	}
	return cliutil.WithHint(fmt.Errorf("%d of the lines could not be read; each is answered with its error", n), `write one {"id":"…","text":"…"} a line, in UTF-8`)
}

// appendError writes the answer to a line that was no row.
func appendError(b []byte, line int, err error) []byte {
	msg, e := json.Marshal(err.Error())
	if e != nil {
		msg = []byte(`"not a row"`)
	}
	b = append(b, `{"id":null,"line":`...)
	b = strconv.AppendInt(b, int64(line), 10)
	b = append(b, `,"error":`...)
	return append(append(b, msg...), '}', '\n')
}

// row is one line of input; its buffers are used again for the next.
type row struct {
	id   []byte // as JSON
	text []byte
	long []byte // a line that the reader's buffer did not hold
}

// line is the next line, and whether there may be more. Of one that is too long
// nothing is kept.
func (r *row) line(in *bufio.Reader) ([]byte, bool, error) {
	b, err := in.ReadSlice('\n')
	if err == nil {
		return b, true, nil
	}
	r.long = append(r.long[:0], b...)
	size := len(b)
	for err == bufio.ErrBufferFull {
		b, err = in.ReadSlice('\n')
		if size += len(b); size <= maxInput {
			r.long = append(r.long, b...)
		}
	}
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	if size > maxInput {
		r.long = nil
		return nil, err == nil, errTooLong
	}
	return r.long, err == nil, nil
}

// parse takes id and text out of a line. Lines as programs write them are read
// in place; anything unusual goes to encoding/json.
func (r *row) parse(line []byte) error {
	if r.fast(line) {
		return nil
	}
	var v struct {
		ID   json.RawMessage `json:"id"`
		Text *string         `json:"text"`
	}
	if !utf8.Valid(line) {
		return errNotUTF8
	}
	if err := json.Unmarshal(line, &v); err != nil {
		return notARow(err)
	}
	if v.Text == nil {
		return errors.New(`no "text"`)
	}
	r.id, r.text = append(r.id[:0], v.ID...), append(r.text[:0], *v.Text...)
	if len(v.ID) == 0 {
		r.id = append(r.id, "null"...)
	}
	return nil
}

// notARow is what encoding/json says, without what it quotes of the line.
func notARow(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		if kind.Field == "" {
			return errors.New("not a JSON object")
		}
		return fmt.Errorf("%q is no %s", kind.Field, kind.Type)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not JSON, from byte %d on", syntax.Offset)
	}
	return errors.New("not JSON")
}

// fast reads {"id": string or number, "text": string}, in either order, and
// reports whether the line was just that.
func (r *row) fast(line []byte) bool {
	i := blanks(line, 0)
	if i >= len(line) || line[i] != '{' {
		return false
	}
	haveID, haveText := false, false
	for i++; ; i++ {
		i = blanks(line, i)
		rest := line[i:]
		switch {
		case bytes.HasPrefix(rest, []byte(`"id"`)) && !haveID:
			if i = colon(line, i+4); i < 0 {
				return false
			}
			end := scalar(line, i)
			if end < 0 {
				return false
			}
			r.id, haveID = append(r.id[:0], line[i:end]...), true
			i = end
		case bytes.HasPrefix(rest, []byte(`"text"`)) && !haveText:
			if i = colon(line, i+6); i < 0 || i >= len(line) || line[i] != '"' {
				return false
			}
			var ok bool
			if r.text, i, ok = unquote(r.text[:0], line, i+1); !ok {
				return false
			}
			haveText = true
		default:
			return false
		}
		i = blanks(line, i)
		if i >= len(line) {
			return false
		}
		if line[i] == '}' {
			return haveID && haveText && blanks(line, i+1) == len(line)
		}
		if line[i] != ',' {
			return false
		}
	}
}

func blanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// colon is where the value after a key begins; -1 without a colon.
func colon(b []byte, i int) int {
	if i = blanks(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	return blanks(b, i+1)
}

// scalar is the end of a plain string or whole number; -1 for anything else.
func scalar(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	if b[i] == '"' {
		for j := i + 1; j < len(b); j++ {
			switch c := b[j]; {
			case c == '"':
				return j + 1
			case c == '\\' || c < ' ' || c >= 0x80:
				return -1
			}
		}
		return -1
	}
	j := i
	for j < len(b) && b[j] >= '0' && b[j] <= '9' {
		j++
	}
	if j == i || b[i] == '0' && j > i+1 || j < len(b) && b[j] != ',' && b[j] != '}' && b[j] != ' ' {
		return -1
	}
	return j
}

// unquote appends the JSON string that goes on at i, and is where it ended.
// What it appends is never longer than what it reads, so eight bytes at a time
// are written where they belong before it is known how many of them do.
func unquote(dst, b []byte, i int) ([]byte, int, bool) {
	n := len(dst)
	dst = slices.Grow(dst, len(b)-i+8)
	for out := dst[:cap(dst)]; i+8 <= len(b); {
		v := binary.LittleEndian.Uint64(b[i:])
		binary.LittleEndian.PutUint64(out[n:], v)
		m := specials(v)
		if m == 0 {
			i, n = i+8, n+8
			continue
		}
		k := bits.TrailingZeros64(m) >> 3
		i, n = i+k, n+k
		if b[i] != '\\' || i+1 >= len(b) {
			break
		}
		if c := b[i+1]; c == 'n' {
			out[n] = '\n'
			i, n = i+2, n+1
			continue
		} else if c == '"' {
			out[n] = c
			i, n = i+2, n+1
			continue
		}
		var ok bool
		if dst, i, ok = unescape(out[:n], b, i); !ok {
			return dst, i, false
		}
		n = len(dst)
	}
	return unquoteTail(dst[:n], b, i)
}

// unquoteTail is unquote, byte by byte.
func unquoteTail(dst, b []byte, i int) ([]byte, int, bool) {
	for i < len(b) {
		switch c := b[i]; {
		case c == '"':
			return dst, i + 1, utf8.Valid(dst)
		case c == '\\' && i+1 < len(b):
			var ok bool
			if dst, i, ok = unescape(dst, b, i); !ok {
				return dst, i, false
			}
		case c == '\\' || c < ' ':
			return dst, i, false
		default:
			dst, i = append(dst, c), i+1
		}
	}
	return dst, i, false
}

// specials marks, by the highest bit of their bytes, quotes, backslashes and
// control characters among eight; the lowest mark is right, and those above it
// may not be.
func specials(v uint64) uint64 {
	q, s := v^(swar.Ones*'"'), v^(swar.Ones*'\\')
	return ((q-swar.Ones)&^q | (s-swar.Ones)&^s | (v-swar.Ones*0x20)&^v) & swar.Highs
}

// unescape decodes the escape at i.
func unescape(dst, b []byte, i int) ([]byte, int, bool) {
	switch c := b[i+1]; c {
	case 'n':
		return append(dst, '\n'), i + 2, true
	case '"', '\\', '/':
		return append(dst, c), i + 2, true
	case 't':
		return append(dst, '\t'), i + 2, true
	case 'r':
		return append(dst, '\r'), i + 2, true
	case 'b':
		return append(dst, '\b'), i + 2, true
	case 'f':
		return append(dst, '\f'), i + 2, true
	case 'u':
		v, ok := hex4(b, i+2)
		if !ok {
			return dst, i, false
		}
		i += 6
		if utf16.IsSurrogate(v) {
			w, ok := hex4(b, i+2)
			if !ok || b[i] != '\\' || b[i+1] != 'u' {
				return utf8.AppendRune(dst, utf8.RuneError), i, true
			}
			if d := utf16.DecodeRune(v, w); d != utf8.RuneError {
				return utf8.AppendRune(dst, d), i + 6, true
			}
			v = utf8.RuneError
		}
		return utf8.AppendRune(dst, v), i, true
	}
	return dst, i, false
}

func hex4(b []byte, i int) (v rune, ok bool) {
	if i+4 > len(b) {
		return 0, false
	}
	for _, c := range b[i : i+4] {
		d := digits[c]
		if d > 15 {
			return 0, false
		}
		v = v<<4 | rune(d)
	}
	return v, true
}

// digits are the values of hex digits; 255 for anything else.
var digits = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
		if c >= 'a' {
			t[c-32] = byte(i)
		}
	}
	return t
}()

// appendReport writes an answer. The id is JSON already.
func appendReport(b []byte, id string, r detect.Report) []byte {
	b = append(b, `{"id":`...)
	b = append(b, id...)
	b = append(b, `,"flagged":`...)
	b = strconv.AppendBool(b, r.Flagged)
	b = append(b, `,"score":`...)
	b = strconv.AppendFloat(b, math.Round(r.Score*1e4)/1e4, 'f', -1, 64)
	b = append(b, `,"families":[`...)
	for i, f := range r.Families {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, string(f))
	}
	b = append(b, `],"spans":[`...)
	for i, s := range r.Spans {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = strconv.AppendInt(b, int64(s.Start), 10)
		b = append(b, ',')
		b = strconv.AppendInt(b, int64(s.End), 10)
		b = append(b, ']')
	}
	return append(b, `]}`...)
}
