package detect

import (
	_ "embed"
	"strings"
	"testing"
)

//go:embed testdata/probe.txt
var probe string

// Texts that were written for this test alone, before the model was fitted.
func TestProbe(t *testing.T) {
	t.Parallel()
	d := New(Config{})
	var flagged, attacks, wrong, harmless int
	for line := range strings.SplitSeq(probe, "\n") {
		switch {
		case strings.HasPrefix(line, "+ "):
			attacks++
			if r := d.Scan(line[2:]); r.Flagged {
				flagged++
			} else {
				t.Logf("missed (%.2f): %s", r.Score, line[2:])
			}
		case strings.HasPrefix(line, "- "):
			harmless++
			if r := d.Scan(line[2:]); r.Flagged {
				wrong++
				t.Logf("flagged (%.2f): %s", r.Score, line[2:])
			}
		}
	}
	t.Logf("flagged %d of %d attacks and %d of %d harmless texts", flagged, attacks, wrong, harmless)
	if flagged*100 < 80*attacks || wrong*100 > 4*harmless {
		t.Errorf("want four fifths of the attacks and at most 4 in 100 of the harmless ones")
	}
}
