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
	rc := http.NewResponseController(c.w)
	_ = rc.SetReadDeadline(time.Now().Add(c.s.deps.BodyTimeout)) // not supported in tests without a socket
	body, err := readAll(c.r.Body, c.r.ContentLength, limit)
	_ = rc.SetReadDeadline(time.Time{})
	switch {
	case err == nil:
		return body, true
	case errors.Is(err, errTooLarge):
		c.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.w.Header()["Connection"] = []string{"close"}
		writeError(c.w, http.StatusRequestTimeout, "invalid_request_error", "Request body timeout")
	default:
		c.w.Header()["Connection"] = []string{"close"}
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
	drainBytes = 8 << 20
	drainTime  = 2 * time.Second
)

// tooLarge answers 413 and then reads a little more of the body, so that a
// client that only listens after it has sent everything gets the answer.
func (c *call) tooLarge() {
	c.w.Header()["Connection"] = []string{"close"}
	rc := http.NewResponseController(c.w)
	_ = rc.EnableFullDuplex()
	writeError(c.w, http.StatusRequestEntityTooLarge, "invalid_request_error", "Payload too large")
	_ = rc.Flush()
	_ = rc.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, c.r.Body, drainBytes)
}
