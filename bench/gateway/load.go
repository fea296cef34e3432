package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/bench/lean"
)

const bearer = "bench-0123456789abcdef0123456789abcdef"

func request(addr string, k kind) []byte { return requestTo(addr, "/tools/invoke", k) }

func requestTo(addr, path string, k kind) []byte {
	token := ""
	if k.known {
		token = bearer
	}
	return lean.Post(addr, path, token, `{"tool":"`+k.tool+`","args":{}}`)
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
			c, err := lean.Dial(addr)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.Close()
			_ = c.SetDeadline(begin.Add(span + lean.Patience))
			for time.Since(begin) < span {
				if errs[i] = c.Call(req, code); errs[i] != nil {
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
		c, err := net.DialTimeout("tcp", addr, lean.Patience)
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
	c, err := lean.Dial(addr)
	if err != nil {
		return answer{}, err
	}
	defer c.Close()
	if _, err := c.Write(request(addr, k)); err != nil {
		return answer{}, err
	}
	res, err := http.ReadResponse(c.R, nil)
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
