package journal

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

// confessed is how many records there are of lost notes, and of how many.
func confessed(t *testing.T, dir string) (records, notes int64) {
	t.Helper()
	err := Read(dir, Filter{}, func(r Record) bool {
		if r.Event == EventLost {
			var d struct{ Records int64 }
			if err := json.Unmarshal(r.Detail, &d); err != nil || d.Records == 0 {
				t.Errorf("%s %v", r.Detail, err)
			}
			records, notes = records+1, notes+d.Records
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return records, notes
}

// within waits for what timers do.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestNotesReachTheFileAndTheDiskSoon(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	var seq uint64
	for range 100 {
		var err error
		if seq, err = j.Note(&Entry{Event: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "written", func() bool { return j.Seq() >= seq })
	if n, err := Verify(dir); err != nil || n != 100 {
		t.Errorf("%d, %v; want every record written", n, err)
	}
	within(t, "synced", func() bool { return j.synced.Load() >= seq })
	if _, err := j.Note(&Entry{Event: "last"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Verify(dir); err != nil || n != 101 {
		t.Errorf("%d, %v; want the last note, too", n, err)
	}
	if _, err := j.Note(&Entry{Event: "x"}); !errors.Is(err, ErrBroken) {
		t.Errorf("a closed journal took a note: %v", err)
	}
}

// What is put is in the file before its caller goes on, and on the disk soon.
func TestPutRecordsAreInTheFileAtOnce(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	for n := uint64(1); n <= 50; n++ {
		seq, err := j.Put(&Entry{Event: "x"})
		if err != nil || seq != n {
			t.Fatal(seq, err)
		}
		if got, err := Verify(dir); err != nil || got != n {
			t.Fatalf("%d of %d records, %v", got, n, err)
		}
	}
	within(t, "synced", func() bool { return j.synced.Load() >= 50 })
}

// What is written takes the notes before it along: nobody sees them later
// than what came after them.
func TestNotesKeepTheirPlace(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	for _, put := range []func(*Entry) (uint64, error){j.Note, j.Write, j.Note, j.Append} {
		if _, err := put(&Entry{Event: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Verify(dir); err != nil || n != 4 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestLostNotesAreCountedAndTheNextOnesToldOf(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	if _, err := j.Append(&Entry{Event: "first"}); err != nil {
		t.Fatal(err)
	}
	good := swap(j, unwritable(t, dir))
	for range 3 {
		if _, err := j.Note(&Entry{Event: "lost"}); err != nil {
			t.Fatal(err)
		}
	}
	lost := func() int {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.lost
	}
	within(t, "the loss", func() bool { return lost() == 3 })
	if _, err := j.Note(&Entry{Event: "x"}); !errors.Is(err, ErrBroken) {
		t.Errorf("a note into a journal that has just lost some: %v", err)
	}
	swap(j, good)
	if _, err := j.Note(&Entry{Event: "kept"}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Verify(dir); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
	if records, notes := confessed(t, dir); records != 1 || notes != 3 {
		t.Errorf("confessed %d notes in %d records", notes, records)
	}
}
