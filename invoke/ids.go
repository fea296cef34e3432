package invoke

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync/atomic"
)

// callIDs makes call ids: a random part per process, then a count. They name
// calls in the journal and are no secret.
type callIDs struct {
	prefix string
	n      *atomic.Uint64
}

func newCallIDs() callIDs {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return callIDs{"call-" + hex.EncodeToString(b[:]) + "-", new(atomic.Uint64)}
}

func (c callIDs) next() string {
	var b [40]byte
	return string(strconv.AppendUint(append(b[:0], c.prefix...), c.n.Add(1), 36))
}
