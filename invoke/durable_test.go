package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/tool"
)

// slowDisk is a journal whose disk needs until free is closed.
type slowDisk struct {
	orderedJournal
	free   chan struct{}
	broken error
}

func (j slowDisk) Begin(e *journal.Entry) (func() error, error) {
	durable, err := j.orderedJournal.Begin(e)
	if err != nil {
		return nil, err
	}
	return func() error {
		<-j.free
		*j.order = append(*j.order, "durable")
		return errors.Join(durable(), j.broken)
	}, nil
}

func boxed(t *testing.T, run func(context.Context, *tool.Call) (tool.Result, error), broken error) (*world, chan struct{}) {
	free := make(chan struct{})
	w := newWorld(t, run, func(d *Deps) {
		ft, _ := d.Tools.Get("session_status")
		f := ft.(*fakeTool)
		f.spec.Traits.Box = true
		d.Journal = slowDisk{d.Journal.(orderedJournal), free, broken}
	})
	return w, free
}

// The decision about a command goes to the disk while the command runs, and is
// there before the caller hears of it.
func TestACommandsDecisionIsDurableBeforeItsAnswer(t *testing.T) {
	for name, run := range map[string]func(context.Context, *tool.Call) (tool.Result, error){
		"done":   say("x"),
		"failed": func(context.Context, *tool.Call) (tool.Result, error) { return tool.Result{}, tool.Failed("no", nil) },
	} {
		w, free := boxed(t, run, nil)
		answered := make(chan Response)
		go func() { answered <- w.Run(context.Background(), request()) }()
		for len(w.records(t)) < 2 {
		}
		select {
		case r := <-answered:
			t.Fatalf("%s: answered before the disk: %+v", name, r)
		default:
		}
		close(free)
		<-answered
		if got := strings.Join(*w.order, ", "); got != "begin call.decided, run, put call.done, durable" {
			t.Errorf("%s: order = %s", name, got)
		}
	}
}

func TestACommandWhoseDecisionIsLostIsNoSuccess(t *testing.T) {
	w, free := boxed(t, say("secret result"), errors.New("disk full"))
	close(free)
	r := w.Run(context.Background(), request())
	if r.Err == nil || r.Result != nil {
		t.Fatalf("%+v", r)
	}
	if raw, _ := json.Marshal(r.Err.Public); strings.Contains(string(raw), "secret") {
		t.Errorf("%s", raw)
	}
	if err := w.deps.Journal.(slowDisk).Close(); err != nil {
		t.Fatal(err)
	}
	runs := w.runs
	if r := w.Run(context.Background(), request()); r.Err == nil || w.runs != runs {
		t.Errorf("a call ran that could not be recorded: %+v", r)
	}
}

// A look changes nothing: its two records are one write.
func TestALooksDecisionIsWrittenWithItsOutcome(t *testing.T) {
	w := newWorld(t, say("x"), func(d *Deps) {
		ft, _ := d.Tools.Get("session_status")
		ft.(*fakeTool).spec.Traits.Looks = true
	})
	if r := w.Run(context.Background(), request()); r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := strings.Join(*w.order, ", "); got != "note call.decided, run, append call.done" {
		t.Errorf("order = %s", got)
	}
	if r := w.records(t); len(r) != 2 {
		t.Errorf("%d records", len(r))
	}
}
