// Package journal is the append-only, hash-chained record of every decision.
// A record is one JSON line that holds the hash of the line before it; it is
// on disk before the caller hears "ok".
package journal

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
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
func (e *Entry) appendBody(b []byte, seq uint64, now time.Time, prev string) []byte {
	b = append(b, `{"v":1,"seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"time":"`...)
	b = now.UTC().AppendFormat(b, time.RFC3339Nano)
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
	b = append(b, prev...)
	return append(b, '"')
}

func appendField(b []byte, name, v string) []byte {
	if v == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return appendString(b, v)
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
	for _, c := range v {
		if c != '\n' && c != '\r' { // only legal between tokens, where it means nothing
			b = append(b, c)
		}
	}
	return b
}

// appendString quotes v as JSON; plain ASCII, the usual case, is copied.
func appendString(b []byte, v string) []byte {
	for i := 0; i < len(v); i++ {
		if c := v[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			q, err := json.Marshal(v)
			if err != nil { // strings always marshal; keep the line valid if that changes
				return append(b, '"', '"')
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, v...)
	return append(b, '"')
}
