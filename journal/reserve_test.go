package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// busy makes a journal large enough to have room reserved, and returns how
// many records it holds.
func busy(t *testing.T, dir string, opts Options) (*Journal, int) {
	t.Helper()
	j := open(t, dir, opts)
	e := &Entry{Event: "x", Reason: strings.Repeat("r", 1000)}
	n := 0
	for ; j.reserved <= j.size; n++ {
		if _, err := j.Append(e); err != nil || n > 1000 {
			t.Fatalf("no room after %d records, %v", n, err)
		}
	}
	return j, n
}

func sealed(t *testing.T, dir, name string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.IndexByte(b, 0) >= 0 || len(b) > 0 && b[len(b)-1] != '\n' {
		t.Errorf("%s does not end with its last record", name)
	}
}

func TestReservedRoomIsGivenBack(t *testing.T) {
	dir := t.TempDir()
	j, n := busy(t, dir, Options{SegmentBytes: 400 << 10})
	for names := []string(nil); len(names) < 3; n++ {
		if _, err := j.Append(&Entry{Event: "x", Reason: strings.Repeat("r", 1000)}); err != nil {
			t.Fatal(err)
		}
		var err error
		if names, err = segments(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		sealed(t, dir, name)
	}
	if got, err := Verify(dir); err != nil || got != uint64(n) {
		t.Errorf("Verify = %d, %v; want %d", got, err, n)
	}
}

// crashed is a copy of a journal as a killed process leaves it.
func crashed(t *testing.T, from string, change func([]byte) []byte) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{segmentName(1), headName} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if name != headName {
			b = change(b)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAKilledProcessLeavesRoomBehindTheRecords(t *testing.T) {
	live := t.TempDir()
	j, n := busy(t, live, Options{})
	defer func() { _ = j.Close() }()
	end := int(j.size)
	for name, tc := range map[string]struct {
		change func([]byte) []byte
		want   int // records that hold; -1: a fault
	}{
		"as it is":                {func(b []byte) []byte { return b }, n},
		"torn record":             {func(b []byte) []byte { copy(b[end:], `{"v":1,"seq":`); return b }, n},
		"torn across blocks":      {func(b []byte) []byte { copy(b[end+5000:], "\"}\n{\"v\":1}\n"); return b }, n},
		"room half written":       {func(b []byte) []byte { return b[:end+100] }, n},
		"a record blanked":        {func(b []byte) []byte { clear(b[end-900 : end]); return b }, -1},
		"a byte of zero inside":   {func(b []byte) []byte { b[end/2] = 0; return b }, -1},
		"an edited byte inside":   {func(b []byte) []byte { b[end-500] ^= 1; return b }, -1},
		"line ends instead of it": {func(b []byte) []byte { b[end] = '\n'; return b }, -1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := crashed(t, live, tc.change)
			got, err := Verify(dir)
			if tc.want < 0 {
				var f *Fault
				if !errors.As(err, &f) {
					t.Fatalf("Verify = %d, %v; want a fault", got, err)
				}
				return
			}
			if err != nil || got != uint64(tc.want) {
				t.Fatalf("Verify = %d, %v; want %d", got, err, tc.want)
			}
			again := open(t, dir, Options{})
			if _, err := again.Append(&Entry{Event: "y"}); err != nil {
				t.Fatal(err)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
			sealed(t, dir, segmentName(1))
			if got, err := Verify(dir); err != nil || got != uint64(tc.want)+1 {
				t.Fatalf("after going on: %d, %v", got, err)
			}
		})
	}
}

// Whoever reads while records are written sees a whole chain, however much of
// it there is yet.
func TestReadingABusyJournal(t *testing.T) {
	dir := t.TempDir()
	j, _ := busy(t, dir, Options{SegmentBytes: 1 << 20})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := 0; i < 400; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := j.Write(&Entry{Event: "x", Reason: strings.Repeat("r", 700)}); err != nil {
					t.Error(err)
				}
				if i%8 == 0 {
					_ = j.Sync()
				}
			}
		})
	}
	for range 8 {
		if _, err := Verify(dir); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}
