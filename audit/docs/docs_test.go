package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/all"
	"github.com/chitin-sh/chitin/audit/docs"
	"github.com/chitin-sh/chitin/audit/peer"
)

func TestPagesAreCurrent(t *testing.T) {
	for name, want := range map[string]string{"checks.md": docs.RenderChecks(all.Checks()), "audit-differences.md": docs.RenderDifferences()} {
		got, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("docs/%s is not what the checks say; run: go run ./internal/newcheck -docs", name)
		}
	}
}

// TestPeerIsCovered keeps the two lists honest: every check of the peer is
// ours or explained, and every check that we add to its subject is explained.
func TestPeerIsCovered(t *testing.T) {
	checks := all.Checks()
	explained, theirs := map[string]bool{}, map[string]bool{}
	for _, d := range peer.Differences() {
		for _, id := range d.IDs {
			explained[id] = true
		}
	}
	ours := map[string]bool{}
	for i := range checks {
		ours[checks[i].ID] = checks[i].On&audit.OpenClaw != 0
	}
	for _, id := range peer.IDs() {
		theirs[id] = true
		if !ours[id] && !explained[id] {
			t.Errorf("the peer's %s is neither a check of ours nor explained", id)
		}
	}
	for id, on := range ours {
		if on && !theirs[id] && !explained[id] {
			t.Errorf("%s is not the peer's and not explained in peer.Differences", id)
		}
	}
	for id := range explained {
		if _, is := ours[id]; !is && !theirs[id] {
			t.Errorf("the difference about %s is about nothing", id)
		}
	}
}

func TestAtLeastTwoHundred(t *testing.T) {
	if n := len(all.Checks()); n < 200 {
		t.Errorf("%d checks, want at least 200", n)
	}
	for _, c := range all.Checks() {
		if strings.Contains(c.Why+c.Remedy+c.Title, "TODO") {
			t.Errorf("%s is unfinished", c.ID)
		}
	}
}
