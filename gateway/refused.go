package gateway

import (
	"sync"
	"time"
)

// RefusalEvent is one or more equal refusals, for the journal. Floods of one
// client arrive as one event per interval with a count.
type RefusalEvent struct {
	Reason Reason
	Status int
	Client string // address of the client
	Route  string // pattern of the route, never the raw path
	Count  int
	First  time.Time
	Last   time.Time
}

const (
	foldEvery   = 10 * time.Second
	maxFolded   = 1024
	otherClient = "other"
)

type foldKey struct {
	reason Reason
	client limitKey
	route  string
}

// folder joins equal refusals, so that a flood of them can fill neither the
// disk nor the memory.
type folder struct {
	sink  func(RefusalEvent)
	now   func() time.Time
	mu    sync.Mutex
	open  map[foldKey]*RefusalEvent
	flush time.Time
}

func newFolder(sink func(RefusalEvent), now func() time.Time) *folder {
	if sink == nil {
		sink = func(RefusalEvent) {}
	}
	return &folder{sink: sink, now: now, open: map[foldKey]*RefusalEvent{}, flush: now().Add(foldEvery)}
}

// add reports the first refusal of its kind at once and counts the rest until
// the interval ends.
func (f *folder) add(r *Refusal, c Client, route string) {
	k := foldKey{r.Reason, newLimitKey(c), route}
	now := f.now()
	f.mu.Lock()
	due := f.due(now)
	e := f.open[k]
	fresh := e == nil
	if fresh {
		if len(f.open) >= maxFolded {
			k.client, fresh = limitKey{}, false
			e = f.open[k]
		}
		if e == nil {
			e = &RefusalEvent{Reason: r.Reason, Status: r.Status, Client: clientName(k, c), Route: route, First: now}
			f.open[k] = e
		}
	}
	var report RefusalEvent
	if fresh {
		report = *e
		report.Count, report.Last = 1, now
	} else {
		e.Count++
		e.Last = now
	}
	f.mu.Unlock()
	f.send(due)
	if fresh {
		f.sink(report)
	}
}

func clientName(k foldKey, c Client) string {
	if k.client == (limitKey{}) {
		return otherClient
	}
	return c.String()
}

// due takes what the ended interval counted. The caller holds the lock.
func (f *folder) due(now time.Time) []RefusalEvent {
	if now.Before(f.flush) {
		return nil
	}
	f.flush = now.Add(foldEvery)
	var out []RefusalEvent
	for k, e := range f.open {
		if e.Count > 0 {
			out = append(out, *e)
		}
		delete(f.open, k)
	}
	return out
}

// tick reports ended intervals; the guard calls it now and then.
func (f *folder) tick(force bool) {
	f.mu.Lock()
	now := f.now()
	if force {
		f.flush = now
	}
	due := f.due(now)
	f.mu.Unlock()
	f.send(due)
}

func (f *folder) send(events []RefusalEvent) {
	for _, e := range events {
		f.sink(e)
	}
}
