// Package proto is the framed, multiplexed protocol between the gateway and
// the supervisor inside a box. Both sides share it; the gateway treats every
// frame that it receives as hostile. It imports little on purpose: the
// supervisor is a small program.
package proto

import (
	"encoding/binary"
	"errors"
)

// Version is what Hello carries; a supervisor of another version is refused.
const Version = 1

// Bounds of the protocol.
const (
	HeaderSize = 9
	MaxPayload = 256 << 10 // bytes in one frame
	Window     = 256 << 10 // output or input bytes a stream may have in flight
	MaxStreams = 4096      // processes a box may have at a time
	MaxArgs    = 4096      // strings in argv or env
)

// Type is a frame's kind.
type Type uint8

// Frames from the gateway.
const (
	Start    Type = 1 + iota // Command; descriptors may ride along
	Stdin                    // bytes
	StdinEOF                 // no more bytes
	Signal                   // u8 signal
	Resize                   // u16 cols, u16 rows
	Credit                   // u32 more bytes of output may be sent
	Ping                     // echoed as Pong
	Reset                    // kill everything that runs
	Quit                     // kill everything and exit
)

// Frames from the supervisor.
const (
	Hello    Type = 64 + iota // HelloInfo
	Started                   // u32 pid
	Stdout                    // bytes
	Stderr                    // bytes
	Exit                      // ExitInfo
	Failed                    // u32 errno: the process could not be started
	Pong                      // as sent
	Consumed                  // u32 input bytes written to the process
)

// ErrMalformed is any violation of the protocol.
var ErrMalformed = errors.New("supervisor protocol: malformed frame")

// Header is the fixed part of a frame.
type Header struct {
	Len    uint32
	Type   Type
	Stream uint32
}

// ParseHeader reads a header and checks its bounds.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, ErrMalformed
	}
	h := Header{Len: binary.LittleEndian.Uint32(b), Type: Type(b[4]), Stream: binary.LittleEndian.Uint32(b[5:])}
	if h.Len > MaxPayload {
		return Header{}, ErrMalformed
	}
	return h, nil
}

// Append adds a frame to b.
func Append(b []byte, t Type, stream uint32, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, byte(t))
	b = binary.LittleEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// AppendU32 adds a frame whose payload is one number.
func AppendU32(b []byte, t Type, stream, v uint32) []byte {
	var p [4]byte
	binary.LittleEndian.PutUint32(p[:], v)
	return Append(b, t, stream, p[:])
}

// U32 reads a payload of one number.
func U32(p []byte) (uint32, error) {
	if len(p) != 4 {
		return 0, ErrMalformed
	}
	return binary.LittleEndian.Uint32(p), nil
}

// Command flags.
const (
	FlagStdin   = 1 << iota // stdin is open: frames, or the third descriptor
	FlagPTY                 // run on a terminal
	FlagMerge               // stderr goes where stdout goes
	FlagFDs                 // output descriptors were sent along
	FlagDiscard             // throw the output away
	FlagStarted             // answer with Started
)

// Command is the payload of Start.
type Command struct {
	Flags      uint16
	TimeoutMS  uint32 // 0: none
	Cols, Rows uint16
	Dir        string
	Argv, Env  []string
}

// FDs is how many descriptors accompany the command.
func (c *Command) FDs() int {
	if c.Flags&FlagFDs == 0 {
		return 0
	}
	n := 1
	if c.Flags&FlagMerge == 0 {
		n++
	}
	if c.Flags&FlagStdin != 0 {
		n++
	}
	return n
}

// Append adds the command's encoding to b.
func (c *Command) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, c.Flags)
	b = binary.LittleEndian.AppendUint32(b, c.TimeoutMS)
	b = binary.LittleEndian.AppendUint16(b, c.Cols)
	b = binary.LittleEndian.AppendUint16(b, c.Rows)
	b = appendStr(b, c.Dir)
	b = appendList(b, c.Argv)
	return appendList(b, c.Env)
}

// ParseCommand decodes a Start payload. Strings never hold a NUL.
func ParseCommand(p []byte) (Command, error) {
	var c Command
	if len(p) < 10 {
		return c, ErrMalformed
	}
	c.Flags = binary.LittleEndian.Uint16(p)
	c.TimeoutMS = binary.LittleEndian.Uint32(p[2:])
	c.Cols = binary.LittleEndian.Uint16(p[6:])
	c.Rows = binary.LittleEndian.Uint16(p[8:])
	var ok bool
	if c.Dir, p, ok = cutStr(p[10:]); !ok {
		return c, ErrMalformed
	}
	if c.Argv, p, ok = cutList(p); !ok || len(c.Argv) == 0 {
		return c, ErrMalformed
	}
	if c.Env, p, ok = cutList(p); !ok || len(p) != 0 {
		return c, ErrMalformed
	}
	return c, nil
}

// ExitInfo is the payload of Exit.
type ExitInfo struct {
	Code     uint8
	Signal   uint8
	TimedOut bool
	MicroSec uint64 // wall time
}

// Append adds the encoding to b.
func (e ExitInfo) Append(b []byte) []byte {
	var to byte
	if e.TimedOut {
		to = 1
	}
	return binary.LittleEndian.AppendUint64(append(b, e.Code, e.Signal, to), e.MicroSec)
}

// ParseExit decodes an Exit payload.
func ParseExit(p []byte) (ExitInfo, error) {
	if len(p) != 11 || p[1] > 64 || p[2] > 1 {
		return ExitInfo{}, ErrMalformed
	}
	return ExitInfo{Code: p[0], Signal: p[1], TimedOut: p[2] == 1, MicroSec: binary.LittleEndian.Uint64(p[3:])}, nil
}

// Features that a supervisor may announce.
const (
	FeatureFDs = 1 << iota // descriptors can be passed
	FeaturePTY
)

// HelloInfo is the first frame of a connection.
type HelloInfo struct {
	Version  uint8
	Features uint8
	Nonce    string // what the box was given at its start
}

// Append adds the encoding to b.
func (h HelloInfo) Append(b []byte) []byte {
	return appendStr(append(b, h.Version, h.Features), h.Nonce)
}

// ParseHello decodes a Hello payload.
func ParseHello(p []byte) (HelloInfo, error) {
	if len(p) < 2 {
		return HelloInfo{}, ErrMalformed
	}
	n, rest, ok := cutStr(p[2:])
	if !ok || len(rest) != 0 || len(n) > 128 {
		return HelloInfo{}, ErrMalformed
	}
	return HelloInfo{Version: p[0], Features: p[1], Nonce: n}, nil
}

func appendStr(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func appendList(b []byte, l []string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(l)))
	for _, s := range l {
		b = appendStr(b, s)
	}
	return b
}

func cutStr(p []byte) (string, []byte, bool) {
	if len(p) < 4 {
		return "", nil, false
	}
	n := binary.LittleEndian.Uint32(p)
	if uint64(n) > uint64(len(p)-4) {
		return "", nil, false
	}
	s := p[4 : 4+n]
	for _, c := range s {
		if c == 0 {
			return "", nil, false
		}
	}
	return string(s), p[4+n:], true
}

func cutList(p []byte) ([]string, []byte, bool) {
	if len(p) < 2 {
		return nil, nil, false
	}
	n := int(binary.LittleEndian.Uint16(p))
	p = p[2:]
	if n > MaxArgs || n*4 > len(p) {
		return nil, nil, false
	}
	l := make([]string, 0, n)
	for range n {
		s, rest, ok := cutStr(p)
		if !ok {
			return nil, nil, false
		}
		l, p = append(l, s), rest
	}
	return l, p, true
}

// Reader splits a byte stream into frames. It holds at most one frame more
// than it was given.
type Reader struct {
	buf        []byte
	start, end int
}

// NewReader makes a reader with a buffer of size bytes, which grows up to one
// whole frame.
func NewReader(size int) *Reader { return &Reader{buf: make([]byte, size)} }

// Space is where the next bytes are to be read to; tell Advance how many came.
func (r *Reader) Space() []byte {
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	if r.end == len(r.buf) {
		if r.start > 0 {
			r.end = copy(r.buf, r.buf[r.start:r.end])
			r.start = 0
		} else {
			r.buf = append(r.buf, make([]byte, min(len(r.buf), MaxPayload+HeaderSize))...)
		}
	}
	return r.buf[r.end:]
}

// Advance says that n bytes were read into Space.
func (r *Reader) Advance(n int) { r.end += n }

// Next returns the next whole frame; ok is false when more bytes are needed.
// The payload is valid until the next call of Space.
func (r *Reader) Next() (h Header, payload []byte, ok bool, err error) {
	b := r.buf[r.start:r.end]
	if len(b) < HeaderSize {
		return h, nil, false, nil
	}
	if h, err = ParseHeader(b); err != nil {
		return h, nil, false, err
	}
	if len(b) < HeaderSize+int(h.Len) {
		return h, nil, false, nil
	}
	r.start += HeaderSize + int(h.Len)
	return h, b[HeaderSize : HeaderSize+int(h.Len)], true, nil
}
