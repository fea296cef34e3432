package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A disk that cannot be written for a while loses exactly the records whose
// callers were told so, and notes, which the journal counts.
func TestFailedWritesAreTakenBack(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	if _, err := j.Append(&Entry{Event: "first"}); err != nil {
		t.Fatal(err)
	}
	bad := unwritable(t, dir)
	var kept, lost atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 12 {
		put := []func(*Entry) (uint64, error){j.Append, j.Append, j.Write, j.Note}[g%4]
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if g%4 == 3 {
					time.Sleep(50 * time.Microsecond) // nothing else holds a note back
				}
				switch _, err := put(&Entry{Event: "x"}); {
				case err == nil:
					kept.Add(1)
				case errors.Is(err, ErrBroken):
					lost.Add(1)
				default:
					t.Errorf("an unknown error: %v", err)
					return
				}
			}
		})
	}
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		good := swap(j, bad)
		time.Sleep(time.Millisecond)
		swap(j, good)
		time.Sleep(time.Millisecond)
	}
	close(stop)
	wg.Wait()
	if _, err := j.Append(&Entry{Event: "last"}); err != nil {
		t.Fatalf("the journal stays broken: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	confessions, unseen := confessed(t, dir)
	want := kept.Load() + 2 + confessions - unseen
	if n, err := Verify(dir); err != nil || n != uint64(want) || lost.Load() == 0 {
		t.Fatalf("Verify = %d, %v; kept %d, lost %d, confessed %d", n, err, kept.Load(), lost.Load(), unseen)
	}
}

// unwritable is the first segment, not for writing.
func unwritable(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// swap makes j write to f, and returns what it wrote to.
func swap(j *Journal, f *os.File) *os.File {
	j.mu.Lock()
	defer j.mu.Unlock()
	old := j.f
	j.f = f
	return old
}

func TestABatchSharesOneSync(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	j.files.Lock() // a sync is under way and takes long
	const callers = 50
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, err := j.Append(&Entry{Event: "x"}); err != nil {
				t.Error(err)
			}
		})
	}
	waiting := func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.seq == callers
	}
	for !waiting() {
		time.Sleep(time.Millisecond)
	}
	if n := j.synced.Load(); n != 0 {
		t.Errorf("%d records are durable before any sync", n)
	}
	syncs, end := j.Subscribe()
	defer end()
	j.files.Unlock()
	wg.Wait()
	if n := j.synced.Load(); n != callers {
		t.Errorf("%d records are durable, want %d", n, callers)
	}
	<-syncs
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Verify(dir); err != nil || n != callers {
		t.Errorf("Verify = %d, %v", n, err)
	}
}

func TestABegunRecordIsWrittenAtOnceAndDurableWhenAsked(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	j.files.Lock() // the disk takes long
	durable, err := j.Begin(&Entry{Event: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := Verify(dir); err != nil || n != 1 {
		t.Errorf("at once: %d, %v", n, err)
	}
	if j.synced.Load() != 0 {
		t.Error("durable before any sync")
	}
	j.files.Unlock()
	if err := durable(); err != nil || j.synced.Load() != 1 {
		t.Errorf("%v, synced up to %d", err, j.synced.Load())
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Begin(&Entry{Event: "x"}); !errors.Is(err, ErrBroken) {
		t.Errorf("a closed journal took a record: %v", err)
	}
}

func TestClockWritesWhatTheStandardLibraryDoes(t *testing.T) {
	c := new(clock)
	at := time.Date(2026, 3, 1, 23, 59, 58, 0, time.FixedZone("x", 3600))
	for _, d := range []time.Duration{0, 1, 100, 123456789, 999999999, time.Second, 90 * time.Minute, -time.Hour, 0} {
		now := at.Add(d)
		if got, want := string(c.append([]byte("x"), now)), "x"+now.UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("got %s want %s", got, want)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add("call.decided", "reason \"quoted\"\n", []byte(`{"a":1}`))
	f.Add("\xff\xfe", "\u2028", []byte("{"))
	f.Fuzz(func(t *testing.T, event, reason string, args []byte) {
		e := Entry{Event: event, Reason: reason, Args: args}
		var r Record
		b := e.appendBody(nil, 1, new(clock), time.Unix(0, 0), (*[hashLen]byte)([]byte(genesis)))
		if bytes.ContainsAny(b, "\n\r") {
			t.Fatalf("a record spans lines: %q", b)
		}
		if err := json.Unmarshal(append(b, '}'), &r); err != nil {
			t.Fatalf("a record is not JSON: %v: %q", err, b)
		}
	})
}

// BenchmarkAppend is what a call costs the journal: a decision that is written
// and an outcome that is synced, with some work of the caller's around them.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			j := open(b, b.TempDir(), Options{})
			before := processorTime(b)
			var wg sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			for range callers {
				wg.Go(func() {
					e := &Entry{Event: EventDecided, Principal: "token:main", Tenant: "default", Surface: "http", Session: "agent:main:main", Tool: "exec", Verdict: "allow", Reason: "allowed by default"}
					work := make([]byte, 16<<10)
					for left.Add(-1) >= 0 {
						sha256.Sum256(work)
						_, werr := j.Write(e)
						sha256.Sum256(work)
						if _, err := j.Append(e); err != nil || werr != nil {
							b.Error(err, werr)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			b.ReportMetric(float64(b.N)/float64(j.syncs.Load()), "calls/sync")
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/call")
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
