package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// genesis is the "prev" of the first record.
const genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// DefaultSegmentBytes is the size after which a new file is begun.
const DefaultSegmentBytes = 64 << 20

// ErrBroken says that the journal could not be written and refuses everything
// since: a decision that cannot be recorded must not take effect.
var ErrBroken = errors.New("journal: cannot be written")

// Options for Open.
type Options struct {
	SegmentBytes int64            // 0 means DefaultSegmentBytes
	Now          func() time.Time // nil means time.Now
}

// Journal is an open journal. It is safe for concurrent use.
//
// Records are chained and put into a buffer under one lock. A record that need
// not be durable yet is written at once and takes with it what else is in the
// buffer; one that must be durable waits there for the next sync, which writes
// and syncs for everybody who came while the one before it was under way; a
// note waits there for whatever writes next.
type Journal struct {
	dir  string
	opts Options

	mu       sync.Mutex // guards everything down to lazy
	f        *os.File
	size     int64
	reserved int64 // where the file ends: behind size there are zeros
	seq      uint64
	prev     [hashLen]byte
	buf      []byte // records that are chained and not yet written
	saved    mark   // where the written part of the chain ends
	clock    clock
	broken   error
	retired  []*os.File // full segments that are not yet synced
	next     *batch     // who waits for the next sync
	syncing  bool
	noted    int  // records in the buffer that nobody waits for
	lost     int  // such records that could not be written
	writing  bool // a write for noted records is on its way
	lazy     bool // a sync for them is

	written atomic.Uint64 // last sequence number that write(2) took
	synced  atomic.Uint64 // last sequence number that is on disk
	syncs   atomic.Uint64 // how often that was done
	head    *os.File
	line    []byte // buffer of the head file; whoever syncs owns it

	files sync.Mutex // held while files are synced or closed

	subMu sync.Mutex
	subs  map[chan struct{}]struct{}
}

// hashLen is the length of a hash in hexadecimal digits.
const hashLen = 2 * sha256.Size

// mark is a place in the chain.
type mark struct {
	seq  uint64
	prev [hashLen]byte
}

// Open opens or makes the journal in dir. A half-written last line, which
// nobody was told about, is cut off.
func Open(dir string, opts Options) (*Journal, error) {
	if opts.SegmentBytes <= 0 {
		opts.SegmentBytes = DefaultSegmentBytes
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &Journal{dir: dir, opts: opts, subs: map[chan struct{}]struct{}{}}
	copy(j.prev[:], genesis)
	if err := j.openLast(); err != nil {
		return nil, err
	}
	j.saved = mark{j.seq, j.prev}
	head, err := os.OpenFile(filepath.Join(dir, headName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), j.f.Close())
	}
	j.head = head
	j.written.Store(j.seq)
	j.synced.Store(j.seq)
	return j, nil
}

func (j *Journal) openLast() error {
	names, err := segments(j.dir)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return j.newSegment()
	}
	path := filepath.Join(j.dir, names[len(names)-1])
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	last, end, err := lastRecord(f)
	if err != nil {
		return errors.Join(fmt.Errorf("journal: %s: %w", names[len(names)-1], err), f.Close())
	}
	if err := f.Truncate(end); err != nil {
		return errors.Join(fmt.Errorf("journal: %w", err), f.Close())
	}
	j.f, j.size, j.reserved = f, end, end
	if last != nil {
		return j.resume(last)
	}
	return j.resumeBefore(names)
}

// resumeBefore takes the chain up from the segment before an empty last one.
func (j *Journal) resumeBefore(names []string) error {
	for i := len(names) - 2; i >= 0; i-- {
		f, err := os.Open(filepath.Join(j.dir, names[i]))
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		last, _, err := lastRecord(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("journal: %s: %w", names[i], err)
		}
		if last != nil {
			return j.resume(last)
		}
	}
	return nil
}

// resume goes on after a record.
func (j *Journal) resume(last *Record) error {
	if len(last.Hash) != hashLen {
		return errors.New("journal: its last record is damaged; run chitin journal verify")
	}
	j.seq = last.Seq
	copy(j.prev[:], last.Hash)
	return nil
}

func (j *Journal) newSegment() error {
	name := filepath.Join(j.dir, segmentName(j.seq+1))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := syncDir(j.dir); err != nil {
		return errors.Join(err, f.Close())
	}
	j.f, j.size, j.reserved = f, 0, 0
	return nil
}

// Write records e without waiting for the disk: the record survives the
// process, not a power cut.
func (j *Journal) Write(e *Entry) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return 0, j.broken
	}
	seq := j.chain(e)
	if err := j.flush(); err != nil {
		return 0, err
	}
	return seq, nil
}

// chain puts e at the end of the chain and into the buffer. The caller holds
// the lock.
func (j *Journal) chain(e *Entry) uint64 {
	j.seq++
	from := len(j.buf)
	b := e.appendBody(j.buf, j.seq, &j.clock, j.opts.Now(), &j.prev)
	sum := sha256.Sum256(b[from:])
	hex.Encode(j.prev[:], sum[:])
	b = append(b, `,"hash":"`...)
	b = append(b, j.prev[:]...)
	j.buf = append(b, '"', '}', '\n')
	return j.seq
}

// maxBuffer is the largest buffer that is kept for the next records.
const maxBuffer = 256 << 10

// flush writes the buffer. What cannot be written is taken back from the
// chain, and everybody who waits for a part of it hears so. The caller holds
// the lock.
func (j *Journal) flush() error {
	if len(j.buf) == 0 {
		return nil
	}
	b := j.buf
	if j.buf = b[:0]; cap(b) > maxBuffer {
		j.buf = nil
	}
	if n, err := j.f.WriteAt(b, j.size); err != nil {
		return j.undo(n, err)
	}
	j.size += int64(len(b))
	j.reserved = max(j.reserved, j.size)
	j.saved = mark{j.seq, j.prev}
	j.noted = 0
	j.written.Store(j.seq)
	if j.size >= j.opts.SegmentBytes {
		j.unreserve()
		j.retired = append(j.retired, j.f)
		if err := j.newSegment(); err != nil {
			j.broken = errors.Join(ErrBroken, err)
		}
	}
	j.confess()
	return nil
}

// undo removes half-written lines. When even that fails, the journal stays
// broken: appending after garbage would cut the chain.
func (j *Journal) undo(n int, cause error) error {
	j.seq, j.prev = j.saved.seq, j.saved.prev
	j.lost, j.noted = j.lost+j.noted, 0
	err := fmt.Errorf("%w: %w", ErrBroken, cause)
	if n > 0 {
		if terr := j.f.Truncate(j.size); terr != nil {
			j.broken = errors.Join(ErrBroken, terr)
		}
		j.reserved = j.size
	}
	j.failWaiting(err)
	return err
}

func (j *Journal) breakWith(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = fmt.Errorf("%w: %w", ErrBroken, err)
	return j.broken
}

// Err is non-nil once the journal refuses to take records.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.broken
}

// Seq is the number of the last record.
func (j *Journal) Seq() uint64 { return j.written.Load() }

// Close syncs and closes the journal.
func (j *Journal) Close() error {
	err := errors.Join(j.Sync(), j.Sync()) // the first may find something to confess
	j.files.Lock()
	defer j.files.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unreserve()
	j.broken = errors.Join(ErrBroken, os.ErrClosed) // a later sync finds this first
	return errors.Join(err, j.f.Close(), j.head.Close())
}

// Subscribe returns a channel that gets a value after new records became
// durable, and a function that ends the subscription.
func (j *Journal) Subscribe() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	j.subMu.Lock()
	j.subs[ch] = struct{}{}
	j.subMu.Unlock()
	return ch, func() {
		j.subMu.Lock()
		delete(j.subs, ch)
		j.subMu.Unlock()
	}
}

func (j *Journal) notify() {
	j.subMu.Lock()
	defer j.subMu.Unlock()
	for ch := range j.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
