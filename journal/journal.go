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
type Journal struct {
	dir  string
	opts Options

	mu      sync.Mutex // guards everything down to buf
	f       *os.File
	size    int64
	seq     uint64
	prev    string
	buf     []byte
	broken  error
	retired []*os.File // full segments that are not yet synced

	written atomic.Uint64 // last sequence number that write(2) took
	synced  atomic.Uint64 // last sequence number that is on disk
	head    *os.File

	syncMu  sync.Mutex // guards syncing and next
	syncing bool
	next    *batch
	files   sync.Mutex  // held while files are synced or closed
	lazy    atomic.Bool // a sync for noted records is on its way

	subMu sync.Mutex
	subs  map[chan struct{}]struct{}
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
	j := &Journal{dir: dir, opts: opts, prev: genesis, subs: map[chan struct{}]struct{}{}}
	if err := j.openLast(); err != nil {
		return nil, err
	}
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
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
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
	j.f, j.size = f, end
	if last != nil {
		j.seq, j.prev = last.Seq, last.Hash
		return nil
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
			j.seq, j.prev = last.Seq, last.Hash
			return nil
		}
	}
	return nil
}

func (j *Journal) newSegment() error {
	name := filepath.Join(j.dir, segmentName(j.seq+1))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := syncDir(j.dir); err != nil {
		return errors.Join(err, f.Close())
	}
	j.f, j.size = f, 0
	return nil
}

// Append records e durably: when it returns nil, the record survives a power
// cut. Concurrent appends share one sync.
func (j *Journal) Append(e *Entry) (uint64, error) {
	seq, err := j.Write(e)
	if err != nil {
		return 0, err
	}
	return seq, j.Sync(seq)
}

// Write records e without waiting for the disk: the record survives the
// process, not a power cut. Sync makes it durable.
func (j *Journal) Write(e *Entry) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return 0, j.broken
	}
	seq := j.seq + 1
	b := e.appendBody(j.buf[:0], seq, j.opts.Now(), j.prev)
	sum := sha256.Sum256(b)
	b = append(b, `,"hash":"`...)
	b = hex.AppendEncode(b, sum[:])
	hash := string(b[len(b)-2*sha256.Size:])
	b = append(b, '"', '}', '\n')
	j.buf = b
	if n, err := j.f.Write(b); err != nil {
		return 0, j.undo(n, err)
	}
	j.size += int64(len(b))
	j.seq, j.prev = seq, hash
	j.written.Store(seq)
	if j.size >= j.opts.SegmentBytes {
		j.retired = append(j.retired, j.f)
		if err := j.newSegment(); err != nil {
			j.broken = errors.Join(ErrBroken, err)
		}
	}
	return seq, nil
}

// undo removes a half-written line. When even that fails, the journal stays
// broken: appending after garbage would cut the chain.
func (j *Journal) undo(n int, cause error) error {
	if n > 0 {
		if err := j.f.Truncate(j.size); err != nil {
			j.broken = errors.Join(ErrBroken, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrBroken, cause)
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
	err := j.Sync(j.written.Load())
	j.files.Lock()
	defer j.files.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
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
