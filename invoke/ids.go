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
	boot string
	n    *atomic.Uint64
}

func newCallIDs() callIDs {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	return callIDs{hex.EncodeToString(b[:]), new(atomic.Uint64)}
}

func (c callIDs) next() string {
	return "call-" + c.boot + "-" + strconv.FormatUint(c.n.Add(1), 36)
}
