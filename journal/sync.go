package journal

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// batch is the callers that wait for the sync after the one under way: theirs
// may have missed records that were written while it ran.
type batch struct {
	done chan struct{} // closed when the sync is over
	lead chan struct{} // one of the waiters does the sync
	err  error
}

// Sync returns when every record up to seq is on disk. One caller syncs for
// all that wait; nobody wakes up one after the other.
func (j *Journal) Sync(seq uint64) error {
	if j.synced.Load() >= seq {
		return nil
	}
	j.syncMu.Lock()
	if !j.syncing {
		j.syncing = true
		j.syncMu.Unlock()
		return j.leadSync(nil)
	}
	b := j.next
	if b == nil {
		b = &batch{done: make(chan struct{}), lead: make(chan struct{}, 1)}
		j.next = b
	}
	j.syncMu.Unlock()
	select {
	case <-b.done:
		return b.err
	case <-b.lead:
		return j.leadSync(b)
	}
}

// leadSync syncs for b (nil: only the caller), wakes everybody in it at once and
// hands the lead to the batch that gathered meanwhile.
func (j *Journal) leadSync(b *batch) error {
	if b != nil {
		j.syncMu.Lock()
		j.next = nil // whoever comes now waits for the sync after this one
		j.syncMu.Unlock()
	}
	err := j.sync()
	j.syncMu.Lock()
	defer j.syncMu.Unlock()
	if b != nil {
		b.err = err
		close(b.done)
	}
	if j.next != nil {
		j.next.lead <- struct{}{}
	} else {
		j.syncing = false
	}
	return err
}

// sync puts everything that is written on disk.
func (j *Journal) sync() error {
	j.files.Lock() // Close waits for a sync under way
	defer j.files.Unlock()
	j.mu.Lock()
	upTo, hash, f, retired, broken := j.seq, j.prev, j.f, j.retired, j.broken
	j.retired = nil
	j.mu.Unlock()
	if broken != nil {
		return broken
	}
	for _, r := range retired {
		if err := errors.Join(unix.Fdatasync(int(r.Fd())), r.Close()); err != nil {
			return j.breakWith(err)
		}
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return j.breakWith(err) // after a failed sync nobody knows what is on disk
	}
	j.synced.Store(upTo)
	j.writeHead(upTo, hash)
	j.notify()
	return nil
}

// soon is how long a noted record may wait for the disk.
const soon = 20 * time.Millisecond

// Note records e and makes it durable shortly afterwards, without waiting: for
// what was refused and so has no effect that the record must precede. The
// record survives the process at once and a power cut within 20 ms.
func (j *Journal) Note(e *Entry) (uint64, error) {
	seq, err := j.Write(e)
	if err != nil {
		return 0, err
	}
	if j.lazy.CompareAndSwap(false, true) {
		time.AfterFunc(soon, func() {
			j.lazy.Store(false)
			_ = j.Sync(j.written.Load()) // a failure is kept and refuses the next record
		})
	}
	return seq, nil
}
