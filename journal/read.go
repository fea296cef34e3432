package journal

import (
	"bytes"
	"encoding/json"
	"path/filepath"
)

// Filter picks records. Its zero value picks everything of every tenant, so
// surfaces that serve a caller must set Tenant.
type Filter struct {
	Tenant  string // "" is every tenant
	Session string
	Call    string
	Event   string
	After   uint64 // only records with a greater sequence number
	Last    int    // keep the newest n; 0 keeps all
}

func (f Filter) match(r *Record) bool {
	return r.Seq > f.After &&
		(f.Tenant == "" || r.Tenant == f.Tenant) &&
		(f.Session == "" || r.Session == f.Session) &&
		(f.Call == "" || r.Call == f.Call) &&
		(f.Event == "" || r.Event == f.Event)
}

// Read calls fn with every record in dir that the filter picks, oldest first,
// until fn returns false.
func Read(dir string, f Filter, fn func(Record) bool) error {
	var keep []Record
	stop := errStop{}
	err := scan(dir, func(file string, line int, b []byte) error {
		var r Record
		if err := json.Unmarshal(b, &r); err != nil {
			return &Fault{File: file, Line: line, What: "not a journal record"}
		}
		if !f.match(&r) {
			return nil
		}
		if f.Last > 0 {
			if keep = append(keep, r); len(keep) > 2*f.Last {
				keep = append(keep[:0], keep[len(keep)-f.Last:]...)
			}
			return nil
		}
		if !fn(r) {
			return stop
		}
		return nil
	})
	if err != nil && err != error(stop) {
		return err
	}
	if f.Last > 0 && len(keep) > f.Last {
		keep = keep[len(keep)-f.Last:]
	}
	for _, r := range keep {
		if !fn(r) {
			break
		}
	}
	return nil
}

// OpenCalls lists the calls of the last run of a gateway that were decided to
// run and have no outcome: what a killed process leaves. The corridor marks
// them unknown at the next start. It reads back no further than the last
// EventStarted.
func OpenCalls(dir string) ([]Record, error) {
	names, err := segments(dir)
	if err != nil {
		return nil, err
	}
	from := 0
	for i := len(names) - 1; i >= 0 && from == 0; i-- {
		has, err := contains(filepath.Join(dir, names[i]), names[i], EventStarted)
		if err != nil {
			return nil, err
		}
		if has {
			from = i
		}
	}
	var run openRun
	for i := from; i < len(names); i++ {
		err := scanFile(filepath.Join(dir, names[i]), names[i], i == len(names)-1, run.line)
		if err != nil {
			return nil, err
		}
	}
	return run.calls(), nil
}

func contains(path, name, event string) (bool, error) {
	found := false
	want := []byte(`,"event":"` + event + `"`)
	err := scanFile(path, name, true, func(_ string, _ int, b []byte) error {
		found = found || bytes.Contains(b[:min(len(b), 128)], want)
		return nil
	})
	return found, err
}

type openRun struct {
	order []string
	open  map[string]Record
}

func (o *openRun) line(file string, line int, b []byte) error {
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return &Fault{File: file, Line: line, What: "not a journal record"}
	}
	switch {
	case r.Event == EventStarted:
		o.order, o.open = nil, nil
	case r.Event == EventDecided && r.Verdict == "allow" && r.Call != "":
		if o.open == nil {
			o.open = map[string]Record{}
		}
		o.order = append(o.order, r.Call)
		o.open[r.Call] = r
	case r.Event == EventDone:
		delete(o.open, r.Call)
	}
	return nil
}

func (o *openRun) calls() []Record {
	var out []Record
	for _, id := range o.order {
		if r, ok := o.open[id]; ok {
			out = append(out, r)
			delete(o.open, id)
		}
	}
	return out
}

// The events of a call's life.
const (
	EventDecided = "call.decided"
	EventDone    = "call.done"
	// EventStarted begins a gateway's run.
	EventStarted = "gateway.started"
	EventStopped = "gateway.stopped"
)

type errStop struct{}

func (errStop) Error() string { return "stop" }
