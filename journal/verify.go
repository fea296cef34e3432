package journal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Fault is the first place where the chain does not hold.
type Fault struct {
	File string
	Line int
	Seq  uint64
	What string
}

// Error says where and what.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s:%d: record %d: %s", f.File, f.Line, f.Seq, f.What)
}

// Verify reads the whole journal in dir and returns how many records hold.
// The error is a *Fault when a record was edited, removed, added or moved.
func Verify(dir string) (uint64, error) {
	v := verifier{prev: genesis}
	var err error
	if v.headSeq, v.headHash, err = readHead(dir); err != nil {
		return 0, &Fault{File: headName, Line: 1, What: "the head file is damaged"}
	}
	err = scan(dir, func(file string, line int, b []byte) error { return v.check(file, line, b) })
	if err != nil {
		return v.seq, err
	}
	if v.seq < v.headSeq {
		return v.seq, &Fault{File: headName, Line: 1, Seq: v.headSeq,
			What: fmt.Sprintf("the journal ends at record %d but reached %d: records were removed from its end", v.seq, v.headSeq)}
	}
	return v.seq, nil
}

type verifier struct {
	seq      uint64
	prev     string
	headSeq  uint64
	headHash string
}

func (v *verifier) check(file string, line int, b []byte) error {
	fault := func(what string) error { return &Fault{File: file, Line: line, Seq: v.seq + 1, What: what} }
	const tail = len(`,"hash":"`) + 2*sha256.Size + len(`"}`)
	if len(b) < tail || !bytes.HasPrefix(b[len(b)-tail:], []byte(`,"hash":"`)) {
		return fault("not a journal record")
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return fault("not a journal record")
	}
	sum := sha256.Sum256(b[:len(b)-tail])
	switch {
	case hex.EncodeToString(sum[:]) != string(b[len(b)-2-2*sha256.Size:len(b)-2]):
		return fault("the record was edited")
	case r.Seq != v.seq+1:
		return fault(fmt.Sprintf("expected record %d, found %d: records were removed or moved", v.seq+1, r.Seq))
	case r.Prev != v.prev:
		return fault("the record does not follow the one before it")
	}
	v.seq, v.prev = r.Seq, r.Hash
	if v.seq == v.headSeq && v.prev != v.headHash {
		return fault("the journal was rewritten: its head names another record")
	}
	return nil
}

// scan calls fn with every whole line of the journal, oldest first. A last
// line without an end was never acknowledged and is left out.
func scan(dir string, fn func(file string, line int, b []byte) error) error {
	names, err := segments(dir)
	if err != nil {
		return err
	}
	for i, name := range names {
		if err := scanFile(filepath.Join(dir, name), name, i == len(names)-1, fn); err != nil {
			return err
		}
	}
	return nil
}

func scanFile(path, name string, last bool, fn func(string, int, []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		b, err := readLine(r)
		switch {
		case errors.Is(err, io.EOF) && len(b) == 0:
			return nil
		case last && bytes.IndexByte(b, 0) >= 0: // reserved room, perhaps just being written
			return nil
		case errors.Is(err, io.EOF) && (last || len(bytes.Trim(b, "\x00")) == 0): // torn, or reserved room
			return nil
		case err != nil:
			return &Fault{File: name, Line: n, What: "the line has no end or is too long"}
		}
		if err := fn(name, n, b); err != nil {
			return err
		}
	}
}

// readLine returns one line without its end, at most maxLine long.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return line, bufio.ErrTooLong
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return bytes.TrimSuffix(line, []byte{'\n'}), err
	}
}
