package invoke

import (
	"encoding/json"
	"testing"

	"github.com/chitin-sh/chitin/toolpolicy"
)

func TestTheTraceInTheJournalIsTheStep(t *testing.T) {
	for _, d := range []toolpolicy.Decision{
		{},
		{Verdict: toolpolicy.Allow, Layer: "all"},
		{Verdict: toolpolicy.Deny, Layer: "tools.policy", Rule: "a \"b\"\n", Key: "tools.deny", Line: 12},
		{Verdict: toolpolicy.Ask, Layer: "rules", Rule: "\xff", Line: 1},
	} {
		want, err := json.Marshal([]toolpolicy.Step{{Layer: d.Layer, Effect: d.Verdict.String(), Rule: d.Rule, Key: d.Key, Line: d.Line}})
		if err != nil {
			t.Fatal(err)
		}
		if got := traceOf(d); string(got) != string(want) {
			t.Errorf("got %s want %s", got, want)
		}
	}
}
