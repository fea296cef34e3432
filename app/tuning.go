package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// headroom is how much the heap may grow between two collections, at least.
// A gateway's live heap is a few MB: with the runtime's own rule it would be
// collected hundreds of times a second under load.
const headroom = 8 << 20

// tune sets the runtime up for a gateway, for the whole process and from now
// on. Whoever set GOGC or GOMAXPROCS knows better.
var tune = sync.OnceFunc(func() {
	if os.Getenv("GOGC") == "" {
		afterCollections(0)
	}
	// The journal's sync keeps a processor of the runtime while it waits for
	// the disk; one more lets calls go on meanwhile.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
})

// afterCollections chooses the heap's growth again after every collection.
func afterCollections(set int) {
	type sentinel struct{ _ [16]byte }
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if want := growth(live[0].Value.Uint64()); want < set*9/10 || want > set*11/10 {
		debug.SetGCPercent(want) // stops the world for a moment: not for nothing
		set = want
	}
	runtime.SetFinalizer(new(sentinel), func(*sentinel) { afterCollections(set) })
}

// growth is the GOGC that gives a live heap its headroom.
func growth(live uint64) int {
	return int(min(max(100*headroom/max(live, 1), 100), 250))
}
