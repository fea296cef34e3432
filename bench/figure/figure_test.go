package figure

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestInterleaveCountsRoundsAndReportsErrors(t *testing.T) {
	var often, seldom, before int
	p50, err := Interleave(io.Discard, "", 10,
		Method{Name: "often", Do: func() error { often++; time.Sleep(time.Millisecond); return nil }, Before: func() { before++ }},
		Method{Name: "seldom", Every: 5, Do: func() error { seldom++; return nil }})
	if err != nil || often != 10+warm || before != often || seldom < 2 || seldom > 3 {
		t.Fatalf("%v, %d %d %d", err, often, before, seldom)
	}
	if p50[0] < 1 || p50[1] >= p50[0] {
		t.Fatalf("medians %v", p50)
	}
	bad := errors.New("bad")
	if _, err := Interleave(io.Discard, "", 1, Method{Name: "x", Do: func() error { return bad }}); !errors.Is(err, bad) {
		t.Fatal(err)
	}
}

func TestTableSaysWhatWasMissed(t *testing.T) {
	var tab Table
	tab.AtMost("a", 1.2, 1.3, "x")
	tab.AtMost("b", 1.4, 1.3, "x")
	tab.AtLeast("c", 39, 40, "x")
	tab.AtLeast("d", 41, 40, "x")
	var out strings.Builder
	if n := tab.Print(&out); n != 2 || strings.Count(out.String(), "MISSED") != 2 || strings.Count(out.String(), " ok") != 2 {
		t.Fatalf("%d missed:\n%s", n, out.String())
	}
}
