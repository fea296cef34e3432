package journal

import (
	"errors"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// batch is everybody who waits for one sync.
type batch struct {
	done chan struct{} // closed when the sync is over
	lead chan struct{} // one of the waiters does the sync
	err  error
	over bool   // it failed before its sync; guarded by the journal's lock
	safe uint64 // then: the last record that was written all the same
}

// Append records e durably: when it returns nil, the record survives a power
// cut. Concurrent appends share one write and one sync.
func (j *Journal) Append(e *Entry) (uint64, error) {
	j.mu.Lock()
	if j.broken != nil {
		defer j.mu.Unlock()
		return 0, j.broken
	}
	seq := j.chain(e)
	if err := j.join(seq); err != nil {
		return 0, err
	}
	return seq, nil
}

// Sync returns when every record so far is on disk.
func (j *Journal) Sync() error {
	j.mu.Lock()
	if j.broken != nil || j.synced.Load() >= j.seq {
		defer j.mu.Unlock()
		return j.broken
	}
	return j.join(j.seq)
}

// join waits until the record seq is durable. The caller holds the lock; join
// gives it up.
func (j *Journal) join(seq uint64) error {
	for {
		b, err := j.await()
		if !b.over || seq > b.safe {
			return err
		}
		j.mu.Lock() // others' records were lost; this one was written before
	}
}

// await waits for the next sync, or does it if none is under way. The caller
// holds the lock; await gives it up.
func (j *Journal) await() (*batch, error) {
	b := j.next
	if b == nil {
		b = &batch{}
		j.next = b
	}
	if !j.syncing {
		j.syncing = true
		j.mu.Unlock()
		return b, j.leadSync(b)
	}
	if b.done == nil {
		b.done, b.lead = make(chan struct{}), make(chan struct{}, 1)
	}
	j.mu.Unlock()
	select {
	case <-b.done:
	case <-b.lead:
		return b, j.leadSync(b)
	}
	select {
	case <-b.lead: // the batch failed after it was told to lead; others wait for that
		_ = j.leadSync(b)
	default:
	}
	return b, b.err
}

// failWaiting ends the batch that waits with err: what is not written of it is
// lost. Whoever was to lead it still does, without effect. The caller holds
// the lock.
func (j *Journal) failWaiting(err error) {
	if b := j.next; b != nil {
		b.err, b.over, b.safe = err, true, j.saved.seq
		j.next = nil
		if b.done != nil {
			close(b.done)
		}
	}
}

// leadSync writes and syncs for b, wakes everybody in it at once and hands the
// lead to the batch that gathered meanwhile.
func (j *Journal) leadSync(b *batch) error {
	runtime.Gosched() // who is about to join comes along: fewer, larger batches
	j.files.Lock()    // Close waits for a sync under way
	upTo, err := j.sync(b)
	if err == nil {
		j.synced.Store(upTo.seq)
		j.syncs.Add(1)
	}
	if !b.over && b.done != nil {
		b.err = err
		close(b.done)
	}
	if b.over {
		err = b.err
	}
	if upTo.seq > 0 {
		j.writeHead(upTo)
	}
	j.files.Unlock()
	j.mu.Lock()
	if j.broken == nil {
		j.reserve()
	}
	if j.next == nil {
		j.syncing = false
	} else {
		j.next.lead <- struct{}{}
	}
	j.mu.Unlock()
	j.notify()
	return err
}

// sync puts everything that is in the buffer or written on disk, and says how
// far that was.
func (j *Journal) sync(b *batch) (mark, error) {
	j.mu.Lock()
	err := j.broken
	if err == nil {
		err = j.flush() // a failure takes b with it
	}
	if j.next == b {
		j.next = nil // whoever comes now waits for the sync after this one
	}
	upTo, f, retired := j.saved, j.f, j.retired
	if err == nil {
		j.retired = nil
	}
	j.mu.Unlock()
	if err != nil {
		return mark{}, err
	}
	for _, r := range retired {
		if err := errors.Join(unix.Fdatasync(int(r.Fd())), r.Close()); err != nil {
			return mark{}, j.breakWith(err)
		}
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return mark{}, j.breakWith(err) // after a failed sync nobody knows what is on disk
	}
	return upTo, nil
}

// writeHead notes how far the journal reached, so that verification finds a
// journal whose newest records were cut off. It is behind after a crash,
// never ahead, so a failed write of it loses no record.
func (j *Journal) writeHead(m mark) {
	const digits = 20
	b := append(j.line[:0], "00000000000000000000"...)
	n := strconv.AppendUint(b, m.seq, 10)[digits:]
	copy(b[digits-len(n):digits], n)
	b = append(append(append(b[:digits], ' '), m.prev[:]...), '\n')
	j.line = b
	_, _ = j.head.WriteAt(b, 0)
}

// Begin records e and starts to make it durable beside what the caller does
// next: for a decision whose call takes longer than a sync. The record survives
// the process at once; when durable returns nil it also survives a power cut.
func (j *Journal) Begin(e *Entry) (durable func() error, err error) {
	if _, err := j.Write(e); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- j.Sync() }()
	return func() error { return <-done }, nil
}
