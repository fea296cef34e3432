package journal

// A busy segment has some room of zeros ahead of its records, already on disk:
// a sync then has only the records' own blocks to write and not the file's
// length and block map as well. Readers take the first zero as the end. The
// room is given back when the segment is full or closed; after a crash it is
// cut off at the next opening.
const (
	reserveFrom  = 64 << 10  // segments below this are not worth it
	reserveRoom  = 128 << 10 // how much is added at a time
	reservePiece = 16 << 10  // small writes keep the page cache's blocks small, which are cheap to write into
)

var zeros [reservePiece]byte

// reserve adds room when less than half of it is left. That it cannot be had
// does not matter: records then make the file longer. The caller holds the lock.
func (j *Journal) reserve() {
	if j.size < reserveFrom || j.reserved-j.size >= reserveRoom/2 || j.reserved+reserveRoom > j.opts.SegmentBytes {
		return
	}
	for end := j.reserved + reserveRoom; j.reserved < end; j.reserved += reservePiece {
		if _, err := j.f.WriteAt(zeros[:], j.reserved); err != nil {
			j.unreserve()
			return
		}
	}
}

// unreserve ends the file behind its last record. If that fails, zeros stay,
// which every reader takes for the end. The caller holds the lock.
func (j *Journal) unreserve() {
	if j.reserved > j.size {
		_ = j.f.Truncate(j.size)
		j.reserved = j.size
	}
}
