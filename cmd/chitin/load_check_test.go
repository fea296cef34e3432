package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/journal"
)

var markOf = regexp.MustCompile(`mark-[a-z]+-[0-9]+-[0-9]+-`)

// written is what the journal says about one call.
type written struct {
	decided, done int
	outcome       string
	record        journal.Record
	mark          string
}

// settle starts the gateway once more, so that whatever was cut off gets its
// outcome, stops it, and compares what clients saw, what the journal has and
// what happened in the workspaces.
func (l *load) settle(clean bool) map[string]int {
	t := l.t
	t.Helper()
	l.g.end(syscall.SIGTERM)
	l.g.start()
	l.g.end(syscall.SIGTERM)
	if out, err := l.g.chitin("journal", "verify"); err != nil {
		t.Errorf("journal verify: %v\n%s", err, out)
	}
	byCall, byMark, perSession := l.journal()
	outcomes := map[string]int{}
	for id, w := range byCall {
		outcomes[w.outcome]++
		if w.decided != 1 || w.done != 1 {
			t.Errorf("call %s (%s): %d decisions, %d outcomes", id, w.mark, w.decided, w.done)
		}
		if clean && w.outcome != "ok" {
			t.Errorf("call %s (%s) ended %s", id, w.mark, w.outcome)
		}
	}
	effects := l.effects()
	for _, c := range l.all {
		l.check(c, byMark[c.mark], effects[c.tenant][c.mark], clean)
	}
	l.counted(perSession, clean)
	for mark := range effects["acme"] {
		if strings.Contains(mark, "evil") {
			t.Errorf("%s took effect at acme", mark)
		}
	}
	return outcomes
}

// journal gathers the records of the load's calls.
func (l *load) journal() (byCall map[string]*written, byMark map[string][]*written, perSession map[string]int) {
	l.t.Helper()
	byCall, byMark, perSession = map[string]*written{}, map[string][]*written{}, map[string]int{}
	err := journal.Read(filepath.Join(l.g.state, journal.DirName), journal.Filter{}, func(r journal.Record) bool {
		if !strings.Contains(r.Session, ":load-") || r.Call == "" {
			return true
		}
		w := byCall[r.Call]
		if w == nil {
			w = &written{}
			byCall[r.Call] = w
		}
		switch r.Event {
		case journal.EventDecided:
			w.decided++
			w.record, w.mark = r, markOf.FindString(string(r.Args))
			if w.mark != "" {
				byMark[w.mark] = append(byMark[w.mark], w)
			}
		case journal.EventDone:
			w.done++
			w.outcome = r.Outcome
			if r.Outcome == "ok" && r.Tool == "session_status" {
				perSession[r.Session]++
			}
		}
		return true
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return byCall, byMark, perSession
}

// effects counts, by tenant, what commands left in the workspace.
func (l *load) effects() map[string]map[string]int {
	l.t.Helper()
	out := map[string]map[string]int{}
	for _, tenant := range []string{"acme", "evil"} {
		out[tenant] = map[string]int{}
		b, err := os.ReadFile(filepath.Join(l.g.state, "workspaces", tenant, "main", "effects"))
		if err != nil {
			l.t.Error(err)
		}
		for line := range strings.Lines(string(b)) {
			out[tenant][strings.TrimSpace(line)]++
		}
	}
	return out
}

// check compares one call as its client saw it with journal and workspace.
func (l *load) check(c *call, ws []*written, effects int, clean bool) {
	t := l.t
	t.Helper()
	for _, m := range markOf.FindAllString(c.text, -1) {
		if m != c.mark {
			t.Errorf("%s was answered with %s", c.mark, m)
		}
	}
	if c.tool == "session_status" {
		if c.ok && !strings.Contains(c.text, c.session) {
			t.Errorf("%s was answered with another session: %.300s", c.session, c.text)
		}
		return
	}
	if c.ok && !strings.Contains(c.text, c.mark) {
		t.Errorf("%s was answered without its mark: %.300s", c.mark, c.text)
	}
	if len(ws) > 1 || clean && len(ws) != 1 {
		t.Errorf("%s is in the journal %d times", c.mark, len(ws))
	}
	ran := 0
	for _, w := range ws {
		if w.record.Tenant != c.tenant || w.record.Session != c.session || w.record.Surface != c.via || w.record.Tool != c.tool {
			t.Errorf("%s is in the journal as %+v", c.mark, w.record)
		}
		if w.outcome == "ok" {
			ran++
		}
	}
	if c.ok && ran != 1 {
		t.Errorf("%s was answered, the journal has %d good outcomes", c.mark, ran)
	}
	if c.tool != "exec" {
		return
	}
	if effects > len(ws) || effects < ran || effects > 1 {
		t.Errorf("%s took effect %d times; journal: %d calls, %d good", c.mark, effects, len(ws), ran)
	}
}

// counted compares the calls that carry no mark by their number in a session.
func (l *load) counted(perSession map[string]int, clean bool) {
	l.t.Helper()
	ok, sent := map[string]int{}, map[string]int{}
	for _, c := range l.all {
		if c.tool != "session_status" {
			continue
		}
		sent[c.session]++
		if c.ok {
			ok[c.session]++
		}
	}
	for s := range maps.Keys(sent) {
		if n := perSession[s]; n < ok[s] || n > sent[s] || clean && n != sent[s] {
			l.t.Errorf("%s: %d sent, %d answered, %d in the journal", s, sent[s], ok[s], n)
		}
	}
}
