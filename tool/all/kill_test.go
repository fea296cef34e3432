package all_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/sandbox/workspace"
)

const (
	kills = 220
	lines = 1000
)

// version is what the files hold in one generation: every line says which.
func version(name string, gen int) string {
	return strings.Repeat(fmt.Sprintf("%s %08d\n", name, gen), lines)
}

// churn edits one file and patches three others, generation after generation.
func (c *client) churn() error {
	for gen := 0; ; gen++ {
		edit := map[string]any{"path": "edited", "edits": []map[string]string{
			{"oldText": version("edited", gen%2), "newText": version("edited", (gen+1)%2)},
		}}
		if _, err := c.call("edit", edit); err != nil && gen > 0 {
			return err
		}
		if _, err := c.call("apply_patch", map[string]any{"input": patch(gen % 2)}); err != nil && gen > 0 {
			return err
		}
		if gen == 1 {
			fmt.Println("working") // both directions were gone once: kill from now on
		}
	}
}

// patch leads from one generation to the other: two files change, one moves.
func patch(gen int) string {
	var b strings.Builder
	b.WriteString("*** Begin Patch\n")
	for _, f := range []string{"p1", "p2"} {
		fmt.Fprintf(&b, "*** Update File: %s\n@@\n", f)
		for range lines {
			fmt.Fprintf(&b, "-%s %08d\n", f, gen)
		}
		for range lines {
			fmt.Fprintf(&b, "+%s %08d\n", f, 1-gen)
		}
	}
	fmt.Fprintf(&b, "*** Delete File: only%d\n", gen)
	fmt.Fprintf(&b, "*** Add File: only%d\n+x\n", 1-gen)
	b.WriteString("*** End Patch\n")
	return b.String()
}

// However often the process dies, edit leaves the old or the new file, and a
// patch of several files is made as a whole or not at all.
func TestKilledAtAnyPointLeavesOldOrNew(t *testing.T) {
	top := t.TempDir()
	dir, intents := filepath.Join(top, "ws"), filepath.Join(top, "intents")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"edited", "p1", "p2"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(version(f, 0)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "only0"), []byte("x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for i := range kills {
		killChild(t, dir, intents)
		seen["edited "+generation(t, dir, "edited")]++
		seen["torn before recovery "+fmt.Sprint(torn(t, dir))]++
		fs, err := workspace.Open(dir, workspace.Options{IntentDir: intents}) // recovers
		if err != nil {
			t.Fatal(err)
		}
		if err := fs.Close(); err != nil {
			t.Fatal(err)
		}
		if torn(t, dir) {
			t.Fatalf("kill %d: half a patch", i)
		}
		left, err := filepath.Glob(filepath.Join(dir, ".chitin-*"))
		if err != nil || len(left) > 0 {
			t.Fatalf("kill %d: left behind %v %v", i, left, err)
		}
	}
	t.Logf("%d kills: %v", kills, seen)
	if seen["edited 0"] == 0 || seen["edited 1"] == 0 {
		t.Error("the kills never fell on both sides of an edit")
	}
}

// killChild lets a process work on the files for a random moment.
func killChild(t *testing.T, dir, intents string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), "TOOL_CHILD=churn", "TOOL_INTENTS="+intents)
	var out bytes.Buffer
	cmd.Stderr = &out
	ready, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = ready.Read(make([]byte, 16)) // an error shows on stderr, below
	time.Sleep(rand.N(25 * time.Millisecond))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if out.Len() > 0 {
		t.Fatalf("child: %s", out.String())
	}
}

// generation is which version a file holds; any mixture ends the test.
func generation(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	for gen := range 2 {
		if string(data) == version(name, gen) {
			return fmt.Sprint(gen)
		}
	}
	t.Fatalf("%s is a mixture of %d bytes", name, len(data))
	return ""
}

// torn reports whether the patched files are of different generations.
func torn(t *testing.T, dir string) bool {
	t.Helper()
	gens := generation(t, dir, "p1") + generation(t, dir, "p2")
	for gen := range 2 {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("only%d", gen))); err == nil {
			gens += fmt.Sprint(gen)
		}
	}
	return gens != "000" && gens != "111"
}
