package invoke

import (
	"testing"

	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/google/go-cmp/cmp"
)

func TestInheritedKeepsEmptyApartFromAbsent(t *testing.T) {
	in := map[string]toolpolicy.Policy{
		"nobody":  {Allow: []string{}},
		"anybody": {Deny: []string{"exec"}},
		"some":    {Allow: []string{"read"}},
	}
	text, err := EncodeInherited(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, inherited(text)); diff != "" {
		t.Errorf("what came back differs:\n%s", diff)
	}
	for _, broken := range []string{"{", "null", "[]", `{"a":1}`} {
		got := inherited(broken)
		if len(got) != 1 || got["unreadable"].Allow == nil {
			t.Errorf("%s leaves %v, want nothing", broken, got)
		}
	}
}
