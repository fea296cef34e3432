package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func open(t testing.TB, dir string, opts Options) *Journal {
	t.Helper()
	j, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func fill(t testing.TB, dir string, n int, opts Options) {
	t.Helper()
	j := open(t, dir, opts)
	for i := range n {
		e := &Entry{Event: EventDecided, Tenant: "t", Tool: "exec", Verdict: "allow", Args: json.RawMessage(`{"command":"echo \"ü\"\u0000"}`), Call: string(rune('a' + i%26))}
		if _, err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestChainHoldsAcrossReopenAndRotation(t *testing.T) {
	dir := t.TempDir()
	opts := Options{SegmentBytes: 1000}
	fill(t, dir, 7, opts)
	fill(t, dir, 7, opts)
	if n, err := Verify(dir); err != nil || n != 14 {
		t.Fatalf("Verify = %d, %v; want 14 records", n, err)
	}
	names, err := segments(dir)
	if err != nil || len(names) < 3 {
		t.Fatalf("segments = %v, %v; want the journal split", names, err)
	}
}

func TestVerifyFindsTampering(t *testing.T) {
	lines := func(b []byte) [][]byte { return bytes.SplitAfter(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) }
	for _, tc := range []struct {
		name   string
		tamper func(b []byte) []byte
		want   string
	}{
		{"edited", func(b []byte) []byte { return bytes.Replace(b, []byte(`"exec"`), []byte(`"read"`), 1) }, "edited"},
		{"removed from the middle", func(b []byte) []byte {
			l := lines(b)
			return bytes.Join(append(l[:3:3], l[4:]...), nil)
		}, "removed or moved"},
		{"removed from the start", func(b []byte) []byte { return bytes.Join(lines(b)[1:], nil) }, "removed or moved"},
		{"removed from the end", func(b []byte) []byte { return bytes.Join(lines(b)[:6], nil) }, "removed from its end"},
		{"reordered", func(b []byte) []byte {
			l := lines(b)
			l[2], l[3] = l[3], l[2]
			return bytes.Join(l, nil)
		}, "removed or moved"},
		{"duplicated", func(b []byte) []byte {
			l := lines(b)
			return bytes.Join(append(l[:2:2], l[1:]...), nil)
		}, "removed or moved"},
		{"garbage", func(b []byte) []byte { return append([]byte("hello\n"), b...) }, "not a journal record"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, dir, 8, Options{})
			path := filepath.Join(dir, segmentName(1))
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, tc.tamper(b), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = Verify(dir)
			var f *Fault
			if !errors.As(err, &f) || !strings.Contains(f.What, tc.want) {
				t.Fatalf("Verify = %v, want a fault saying %q", err, tc.want)
			}
		})
	}
}

func TestVerifyFindsARewrittenJournal(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	fill(t, dir, 5, Options{})
	fill(t, other, 5, Options{})
	b, err := os.ReadFile(filepath.Join(other, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, segmentName(1)), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(dir); err == nil || !strings.Contains(err.Error(), "rewritten") {
		t.Fatalf("Verify = %v, want a rewritten journal found", err)
	}
}

func TestTornTailIsCut(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, 3, Options{})
	path := filepath.Join(dir, segmentName(1))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"v":1,"seq":4,"time":"20`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Verify(dir); err != nil || n != 3 {
		t.Fatalf("Verify with a torn tail = %d, %v; want 3, nil", n, err)
	}
	fill(t, dir, 2, Options{})
	if n, err := Verify(dir); err != nil || n != 5 {
		t.Fatalf("Verify after reopening = %d, %v; want 5, nil", n, err)
	}
}

func TestConcurrentAppends(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 20000})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				if _, err := j.Append(&Entry{Event: "x", Tool: "t"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Verify(dir); err != nil || n != 1000 {
		t.Fatalf("Verify = %d, %v; want 1000 records", n, err)
	}
}

func TestOversizedAndInvalidArgsStayOneRecord(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	for _, args := range []string{`{"a":"` + strings.Repeat("x", MaxArgs) + `"}`, "{nope", "{\n\"a\":\r\n1}"} {
		if _, err := j.Append(&Entry{Event: "x", Args: json.RawMessage(args)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Verify(dir); err != nil || n != 3 {
		t.Fatalf("Verify = %d, %v; want 3 records", n, err)
	}
}

func TestFilterAndOpenCalls(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	for _, e := range []Entry{
		{Event: EventDecided, Verdict: "allow", Call: "1", Tenant: "a"},
		{Event: EventDecided, Verdict: "deny", Call: "2", Tenant: "b"},
		{Event: EventDecided, Verdict: "allow", Call: "3", Tenant: "b"},
		{Event: EventDone, Call: "1", Tenant: "a", Outcome: "ok"},
	} {
		if _, err := j.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	calls, err := OpenCalls(dir)
	if err != nil || len(calls) != 1 || calls[0].Call != "3" {
		t.Fatalf("OpenCalls = %v, %v; want call 3 alone", calls, err)
	}
	var seen []uint64
	if err := Read(dir, Filter{Tenant: "b", Last: 1}, func(r Record) bool { seen = append(seen, r.Seq); return true }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0] != 3 {
		t.Fatalf("the newest record of tenant b = %v, want 3", seen)
	}
}

func TestClosedJournalRefuses(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(&Entry{Event: "x"}); !errors.Is(err, ErrBroken) {
		t.Fatalf("Append after Close = %v, want ErrBroken", err)
	}
}

func TestCloseWaitsForASyncUnderWay(t *testing.T) {
	for range 50 {
		j := open(t, t.TempDir(), Options{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if _, err := j.Note(&Entry{Event: "x"}); err == nil {
						_ = j.Sync()
					}
				}
			})
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
	}
}
