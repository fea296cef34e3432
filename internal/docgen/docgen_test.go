package docgen

import "testing"

func TestDocumentsAreCurrent(t *testing.T) {
	stale, err := Compare("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("stale: %v; run make generate", stale)
	}
}
