package proto

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestCommandRoundTrip(t *testing.T) {
	want := Command{Flags: FlagPTY | FlagStdin, TimeoutMS: 7, Cols: 80, Rows: 24, Dir: "/w", Argv: []string{"sh", "-c", ""}, Env: []string{"A=1"}}
	got, err := ParseCommand(want.Append(nil))
	if err != nil || got.Dir != want.Dir || !slices.Equal(got.Argv, want.Argv) || !slices.Equal(got.Env, want.Env) || got.Flags != want.Flags || got.TimeoutMS != 7 || got.Cols != 80 || got.Rows != 24 {
		t.Fatalf("%+v %v", got, err)
	}
	for n := range len(want.Append(nil)) {
		if _, err := ParseCommand(want.Append(nil)[:n]); err == nil {
			t.Fatalf("a command cut at %d was accepted", n)
		}
	}
	if _, err := ParseCommand(append(want.Append(nil), 0)); err == nil {
		t.Fatal("trailing bytes were accepted")
	}
	if _, err := ParseCommand((&Command{Argv: []string{"a\x00b"}}).Append(nil)); err == nil {
		t.Fatal("a NUL was accepted")
	}
	if _, err := ParseCommand((&Command{}).Append(nil)); err == nil {
		t.Fatal("an empty argument list was accepted")
	}
}

func TestReaderSplitsAnyhow(t *testing.T) {
	var wire []byte
	var want []string
	for i := range 50 {
		p := strings.Repeat("x", i*37)
		want = append(want, p)
		wire = Append(wire, Stdout, uint32(i), []byte(p))
	}
	for _, step := range []int{1, 7, 100, 4096, len(wire)} {
		r := NewReader(64)
		var got []string
		for rest := wire; ; {
			h, p, ok, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				if h.Stream != uint32(len(got)) || h.Type != Stdout {
					t.Fatalf("%+v", h)
				}
				got = append(got, string(p))
				continue
			}
			if len(rest) == 0 {
				break
			}
			sp := r.Space()
			n := copy(sp[:min(len(sp), step)], rest)
			rest = rest[n:]
			r.Advance(n)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("in steps of %d: %d frames", step, len(got))
		}
	}
}

func TestOversizeFrameIsRefused(t *testing.T) {
	b := Append(nil, Stdout, 1, nil)
	b[2] = 0xff
	if _, err := ParseHeader(b); err == nil {
		t.Fatal("a frame above the limit was accepted")
	}
}

func FuzzCommand(f *testing.F) {
	f.Add((&Command{Argv: []string{"true"}}).Append(nil))
	f.Add((&Command{Flags: 3, Dir: "/", Argv: []string{"a", "b"}, Env: []string{"K=V"}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCommand(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Append(nil), b) {
			t.Fatal("two encodings of one command")
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add(Append(Append(nil, Exit, 1, ExitInfo{Code: 1}.Append(nil)), Hello, 0, HelloInfo{Version: 1, Nonce: "n"}.Append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(16)
		for len(b) > 0 {
			n := copy(r.Space(), b)
			b = b[n:]
			r.Advance(n)
			for {
				h, p, ok, err := r.Next()
				if err != nil {
					return
				}
				if !ok {
					break
				}
				if len(p) > MaxPayload || int(h.Len) != len(p) {
					t.Fatal("a frame of another length than it says")
				}
				_, _ = ParseExit(p)
				_, _ = ParseHello(p)
				_, _ = U32(p)
			}
		}
		if len(r.buf) > 2*(MaxPayload+HeaderSize) {
			t.Fatalf("the buffer grew to %d", len(r.buf))
		}
	})
}
