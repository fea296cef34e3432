package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerdicts gives the report one case of each kind.
func TestVerdicts(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	quiet := `{"gateway":{"auth":{"token":"tok-7hG2kQ9vXz41LmPa83RwTn56"},"controlUi":{"enabled":false}}}`
	summary := `{"severity":"info","checkId":"summary.attack_surface"}`
	put("same.json", quiet)
	put("same.expected.json", `{"findings":[`+summary+`]}`)
	put("more.json", strings.Replace(quiet, "tok-7hG2kQ9vXz41LmPa83RwTn56", "change-me-to-a-long-random-token", 1))
	put("more.expected.json", `{"findings":[`+summary+`]}`)
	put("less.json", quiet)
	put("less.expected.json", `{"findings":[`+summary+`,{"severity":"critical","checkId":"gateway.bind_no_auth"}]}`)
	put("bad.json", `{"gateway":{"bind":"0.0.0.0"}}`)
	put("bad.expected.json", `{"ok":false,"issues":[]}`)
	put("mode.json", quiet)
	put("mode.meta.json", `{"modes":{"state":"0755"},"files":{"state/x":"1"},"machineState":{"hooks.internal.installs":{"a":{"source":"npm","spec":"a@latest","integrity":"x"}}}}`)
	put("mode.expected.json", `{"findings":[`+summary+`,{"severity":"warn","checkId":"fs.state_dir.perms_readable"},{"severity":"warn","checkId":"hooks.installs_unpinned_npm_specs"}]}`)
	var b bytes.Buffer
	worse, err := compare(&b, dir)
	if err != nil || !worse {
		t.Fatalf("%v %v", worse, err)
	}
	for _, want := range []string{"matched      same", "deliberate   more", "missing      less", "refused      bad", "matched      mode", "5 cases: 2 matched, 1 deliberate, 1 refused by the peer, 0 undocumented, 1 missing"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if _, err := compare(&b, t.TempDir()); err == nil {
		t.Error("no cases and no error")
	}
}
