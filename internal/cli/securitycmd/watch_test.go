package securitycmd_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/securitycmd"
)

// screen collects output that another goroutine writes.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) waitFor(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		found := strings.Contains(s.b.String(), want)
		s.mu.Unlock()
		if found {
			return
		}
	}
	t.Fatalf("no %q in:\n%s", want, s.b.String())
}

func TestWatchSeesAChange(t *testing.T) {
	dir := state(t, clean)
	own := filepath.Join(t.TempDir(), "own")
	home := t.TempDir()
	out := &screen{}
	env := &cliutil.Env{Out: out, Err: out, State: own, Getenv: func(k string) string { return map[string]string{"HOME": home}[k] }}
	cmd := securitycmd.New(env)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"audit", "watch", "--openclaw", dir, "--every", "1h"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(ctx) }()
	out.waitFor(t, "0 critical, 0 warn")
	if err := os.WriteFile(filepath.Join(dir, "openclaw.json"), []byte(critical), 0o600); err != nil {
		t.Fatal(err)
	}
	out.waitFor(t, "+ critical gateway.bind_no_auth")
	if err := os.WriteFile(filepath.Join(dir, "openclaw.json"), []byte(clean), 0o600); err != nil {
		t.Fatal(err)
	}
	out.waitFor(t, "- critical gateway.bind_no_auth")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	prom, err := os.ReadFile(filepath.Join(own, "audit.prom"))
	if err != nil || !strings.Contains(string(prom), `chitin_audit_findings{subject="openclaw",severity="critical"} 0`) {
		t.Errorf("%v\n%s", err, prom)
	}
	if rows, err := filepath.Glob(filepath.Join(own, "audit-journal", "*")); err != nil || len(rows) == 0 {
		t.Errorf("no journal: %v", err)
	}
}
