package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// readBody reads a request's body within its limits; when it cannot, it has
// answered and returns false.
func (c *call) readBody() ([]byte, bool) {
	limit := c.s.deps.MaxBody
	if c.r.ContentLength > limit {
		c.tooLarge()
		return nil, false
	}
	var rc interface{ SetReadDeadline(time.Time) error }
	if rc, _ = c.w.(interface{ SetReadDeadline(time.Time) error }); rc == nil {
		rc = http.NewResponseController(c.w)
	}
	_ = rc.SetReadDeadline(time.Now().Add(c.s.deps.BodyTimeout)) // not supported in tests without a socket
	body, err := readAll(c.r.Body, c.r.ContentLength, limit)
	_ = rc.SetReadDeadline(time.Time{})
	switch {
	case err == nil:
		_ = c.r.Body.Close() // all of it is here: net/http need not look for more
		return body, true
	case errors.Is(err, errTooLarge):
		c.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.w.Header()["Connection"] = connectionClose
		writeError(c.w, http.StatusRequestTimeout, "invalid_request_error", "Request body timeout")
	default:
		c.w.Header()["Connection"] = connectionClose
		writeError(c.w, http.StatusBadRequest, "invalid_request_error", "The request body could not be read")
	}
	return nil, false
}

var errTooLarge = errors.New("body too large")

func readAll(r io.Reader, length, limit int64) ([]byte, error) {
	if length >= 0 {
		buf := make([]byte, length)
		_, err := io.ReadFull(r, buf)
		return buf, err
	}
	buf, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(buf)) > limit {
		err = errTooLarge
	}
	return buf, err
}

const (
	drainBytes = 4 << 20
	drainTime  = 2 * time.Second
	drainFrom  = 128 << 10 // net/http itself reads on for less
)

// tooLarge answers 413.
func (c *call) tooLarge() {
	c.w.Header()["Connection"] = connectionClose
	rc := http.NewResponseController(c.w)
	_ = rc.EnableFullDuplex()
	writeError(c.w, http.StatusRequestEntityTooLarge, "invalid_request_error", "Payload too large")
	drain(rc, c.r)
}

// drain sends the answer and then reads a little more of the body, so that a
// client that only listens after it has sent everything gets the answer.
func drain(rc *http.ResponseController, r *http.Request) {
	_ = rc.Flush()
	_ = rc.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, r.Body, drainBytes)
}
