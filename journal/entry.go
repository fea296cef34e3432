// Package journal is the append-only, hash-chained record of every decision.
// A record is one JSON line that holds the hash of the line before it; it is
// on disk before the caller hears "ok".
package journal

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/chitin-sh/chitin/internal/jsontext"
)

// Version is the format of a record line.
const Version = 1

// MaxArgs is how many bytes of redacted arguments one record keeps.
const MaxArgs = 8 << 10

// Entry is what a room wants remembered. Arguments and details must be
// redacted before they come here.
type Entry struct {
	Event     string // such as call.decided, call.done, auth.refused
	Call      string // id that ties a decision to its outcome
	Principal string
	Tenant    string
	Surface   string
	Session   string
	Tool      string
	Verdict   string // allow, deny, ask
	Reason    string
	Trace     json.RawMessage
	Args      json.RawMessage
	Label     string // integrity label of the session
	Outcome   string // ok, error, timeout, cancelled, unknown
	Error     string // public message only
	Duration  time.Duration
	Detail    json.RawMessage
}

// Record is one line as it is read back.
type Record struct {
	Version    int             `json:"v"`
	Seq        uint64          `json:"seq"`
	Time       time.Time       `json:"time"`
	Event      string          `json:"event"`
	Call       string          `json:"call,omitempty"`
	Principal  string          `json:"principal,omitempty"`
	Tenant     string          `json:"tenant,omitempty"`
	Surface    string          `json:"surface,omitempty"`
	Session    string          `json:"session,omitempty"`
	Tool       string          `json:"tool,omitempty"`
	Verdict    string          `json:"verdict,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Trace      json.RawMessage `json:"trace,omitempty"`
	Args       json.RawMessage `json:"args,omitempty"`
	Label      string          `json:"label,omitempty"`
	Outcome    string          `json:"outcome,omitempty"`
	Error      string          `json:"error,omitempty"`
	DurationMs float64         `json:"durationMs,omitempty"`
	Detail     json.RawMessage `json:"detail,omitempty"`
	Prev       string          `json:"prev"`
	Hash       string          `json:"hash"`
}

// appendBody writes the line up to and without its hash: the bytes that the
// hash covers.
func (e *Entry) appendBody(b []byte, seq uint64, c *clock, now time.Time, prev *[hashLen]byte) []byte {
	b = append(b, `{"v":1,"seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"time":"`...)
	b = c.append(b, now)
	b = append(b, '"')
	b = appendField(b, "event", e.Event)
	b = appendField(b, "call", e.Call)
	b = appendField(b, "principal", e.Principal)
	b = appendField(b, "tenant", e.Tenant)
	b = appendField(b, "surface", e.Surface)
	b = appendField(b, "session", e.Session)
	b = appendField(b, "tool", e.Tool)
	b = appendField(b, "verdict", e.Verdict)
	b = appendField(b, "reason", e.Reason)
	b = appendRaw(b, "trace", e.Trace, 4*MaxArgs)
	b = appendRaw(b, "args", e.Args, MaxArgs)
	b = appendField(b, "label", e.Label)
	b = appendField(b, "outcome", e.Outcome)
	b = appendField(b, "error", e.Error)
	if e.Duration > 0 {
		b = append(b, `,"durationMs":`...)
		b = strconv.AppendFloat(b, float64(e.Duration.Microseconds())/1000, 'f', -1, 64)
	}
	b = appendRaw(b, "detail", e.Detail, MaxArgs)
	b = append(b, `,"prev":"`...)
	b = append(b, prev[:]...)
	return append(b, '"')
}

func appendField(b []byte, name, v string) []byte {
	if v == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return jsontext.AppendString(b, v)
}

// appendRaw adds a JSON value on one line; one that is too long or not JSON is
// replaced by its size, so that a record stays a record.
func appendRaw(b []byte, name string, v json.RawMessage, limit int) []byte {
	if len(v) == 0 {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	if len(v) > limit || !json.Valid(v) {
		b = append(b, `{"omitted":true,"bytes":`...)
		b = strconv.AppendInt(b, int64(len(v)), 10)
		return append(b, '}')
	}
	for len(v) > 0 {
		i := bytes.IndexAny(v, "\n\r") // only legal between tokens, where it means nothing
		if i < 0 {
			return append(b, v...)
		}
		b, v = append(b, v[:i]...), v[i+1:]
	}
	return b
}

// clock writes times as time.RFC3339Nano does; all but the fraction changes
// once a second.
type clock struct {
	second int64
	text   []byte
}

func (c *clock) append(b []byte, t time.Time) []byte {
	if s := t.Unix(); s != c.second || c.text == nil {
		c.second, c.text = s, t.UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05")
	}
	b = append(b, c.text...)
	if ns := t.Nanosecond(); ns > 0 {
		b = append(b, '.')
		from := len(b)
		for div := 100_000_000; div > 0; div /= 10 {
			b = append(b, byte('0'+ns/div%10))
		}
		for b[len(b)-1] == '0' && len(b) > from {
			b = b[:len(b)-1]
		}
	}
	return append(b, 'Z')
}
