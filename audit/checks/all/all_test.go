package all_test

import (
	"testing"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/audittest"
	"github.com/chitin-sh/chitin/audit/checks/all"
)

func TestListIsValid(t *testing.T) {
	if err := audit.Validate(all.Checks()); err != nil {
		t.Fatal(err)
	}
}

func TestExamples(t *testing.T) { audittest.Examples(t, all.Checks()) }
