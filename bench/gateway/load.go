package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	bearer  = "bench-0123456789abcdef0123456789abcdef"
	patient = 10 * time.Second // for one answer
)

func request(addr string, k kind) []byte { return requestTo(addr, "/tools/invoke", k) }

func requestTo(addr, path string, k kind) []byte {
	body := `{"tool":"` + k.tool + `","args":{}}`
	auth := ""
	if k.known {
		auth = "Authorization: Bearer " + bearer + "\r\n"
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, addr, auth, len(body), body)
}

// conn is a client that costs as little as it can: it shares the machine.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, patient)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 4<<10)}, nil
}

func (c *conn) call(req []byte, code int) error {
	if _, err := c.Write(req); err != nil {
		return err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 || string(line[9:12]) != strconv.Itoa(code) {
		return fmt.Errorf("answered %q, want %d", line, code)
	}
	length := 0
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			_, err = c.r.Discard(length)
			return err
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
}

// load asks over conns connections, one request after the other on each, for a
// while and returns how many answers it got.
func load(addr string, req []byte, code, conns int, span time.Duration) (int, error) {
	var (
		wg     sync.WaitGroup
		counts = make([]int, conns)
		errs   = make([]error, conns)
	)
	begin := time.Now()
	for i := range conns {
		wg.Go(func() {
			c, err := dial(addr)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.Close()
			_ = c.SetDeadline(begin.Add(span + patient))
			for time.Since(begin) < span {
				if errs[i] = c.call(req, code); errs[i] != nil {
					return
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	if total == 0 {
		return 0, errors.New("no answers in time")
	}
	return total, nil
}

// silence opens sockets that never send anything.
func silence(addr string, n int) (drop func(), err error) {
	open := make([]net.Conn, 0, n)
	drop = func() {
		for _, c := range open {
			_ = c.Close()
		}
	}
	for range n {
		c, err := net.DialTimeout("tcp", addr, patient)
		if err != nil {
			drop()
			return nil, fmt.Errorf("%d sockets opened (ulimit -n?): %w", len(open), err)
		}
		open = append(open, c)
	}
	return drop, nil
}

// answer is what the gateway says to one kind of request.
type answer struct {
	Code int             `json:"code"`
	Body json.RawMessage `json:"body"`
}

func ask(addr string, k kind) (answer, error) {
	c, err := dial(addr)
	if err != nil {
		return answer{}, err
	}
	defer c.Close()
	if _, err := c.Write(request(addr, k)); err != nil {
		return answer{}, err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return answer{}, err
	}
	if res.StatusCode != k.code {
		return answer{}, fmt.Errorf("%s: answered %d %s, want %d", k.name, res.StatusCode, body, k.code)
	}
	return answer{res.StatusCode, body}, nil
}
