package journal

import (
	"encoding/json"
	"time"
)

const (
	// writeSoon is how long a noted record may wait for the file.
	writeSoon = time.Millisecond
	// syncSoon is how long a written one may wait for the disk.
	syncSoon = 19 * time.Millisecond
	// maxNoted is how many bytes may wait.
	maxNoted = 64 << 10
)

// EventLost is the record of noted records that could not be written; its
// detail says how many.
const EventLost = "journal.lost"

// Note records e without waiting, neither for the file nor for the disk: for
// what has no effect, so that nothing need precede an effect. The record
// survives the process after 1 ms and a power cut after 20 ms. Should the file
// then refuse it, the journal says how many it lost as soon as it can, and
// meanwhile notes are written at once or fail.
func (j *Journal) Note(e *Entry) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return 0, j.broken
	}
	seq := j.chain(e)
	if j.lost == 0 && len(j.buf) < maxNoted {
		j.noted++
		j.expectWrite()
		return seq, nil
	}
	if err := j.flush(); err != nil {
		return 0, err
	}
	j.expectSync()
	return seq, nil
}

// Put records e in the file at once, without waiting for the disk: the record
// survives the process now and a power cut after 20 ms.
func (j *Journal) Put(e *Entry) (uint64, error) {
	seq, err := j.Write(e)
	if err == nil {
		j.mu.Lock()
		j.expectSync()
		j.mu.Unlock()
	}
	return seq, err
}

// expectWrite has the buffer written soon. The caller holds the lock.
func (j *Journal) expectWrite() {
	if !j.writing {
		j.writing = true
		time.AfterFunc(writeSoon, j.writeNoted)
	}
}

func (j *Journal) writeNoted() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.writing = false
	if j.broken == nil && j.flush() == nil {
		j.expectSync()
	}
}

// expectSync has what is written synced soon. The caller holds the lock.
func (j *Journal) expectSync() {
	if !j.lazy && j.synced.Load() < j.seq {
		j.lazy = true
		time.AfterFunc(syncSoon, j.syncNoted)
	}
}

func (j *Journal) syncNoted() {
	j.mu.Lock()
	j.lazy = false
	j.mu.Unlock()
	_ = j.Sync() // a failure is kept and refuses the next record
}

// confess records that noted records were lost. The caller holds the lock and
// has just seen the file take records again.
func (j *Journal) confess() {
	if j.lost == 0 {
		return
	}
	detail, _ := json.Marshal(map[string]int{"records": j.lost})
	j.lost = 0
	j.chain(&Entry{Event: EventLost, Reason: "the journal could not be written", Detail: detail})
	j.noted++
	j.expectWrite()
}
