// Package lean is an HTTP client that costs as little as it can: it shares the
// machine, and often the processor, with what the benchmarks measure.
package lean

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Patience is how long one answer may take.
const Patience = 10 * time.Second

// Conn is one connection; one request at a time.
type Conn struct {
	net.Conn
	R *bufio.Reader
}

// Dial connects to a server on this machine.
func Dial(addr string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		return nil, err
	}
	return &Conn{c, bufio.NewReaderSize(c, 4<<10)}, nil
}

// Post is the bytes of a POST request; without a token when bearer is empty.
func Post(addr, path, bearer, body string) []byte {
	auth := ""
	if bearer != "" {
		auth = "Authorization: Bearer " + bearer + "\r\n"
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, addr, auth, len(body), body)
}

// Call sends a request and reads its answer, which must have the status code.
func (c *Conn) Call(req []byte, code int) error {
	if _, err := c.Write(req); err != nil {
		return err
	}
	line, err := c.R.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 || string(line[9:12]) != strconv.Itoa(code) {
		return fmt.Errorf("answered %q, want %d", line, code)
	}
	length := 0
	for {
		if line, err = c.R.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			_, err = c.R.Discard(length)
			return err
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
}
