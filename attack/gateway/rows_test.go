package gateway_test

import (
	"fmt"
	"testing"

	"github.com/chitin-sh/chitin/gateway/guardtest"
)

// row is one advisory as an attack. try returns true when the attacker got
// what the advisory describes.
type row struct {
	id, advisory, what string
	options            guardtest.Options
	// off are the defences that stop the attack: with them switched off it must
	// succeed. Empty means that the design leaves nothing to switch off; why
	// says what that is.
	off []guardtest.Defence
	why string
	try func(d *door) bool
}

func rows() []row {
	var out []row
	out = append(out, classA()...)
	out = append(out, classALimits()...)
	out = append(out, classB()...)
	out = append(out, classC()...)
	return append(out, identityRows()...)
}

func TestAttacksAreBlocked(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.id+" "+r.what, func(t *testing.T) {
			if r.try(newDoor(t, r.options)) {
				t.Errorf("%s (%s) succeeds", r.id, r.advisory)
			}
		})
	}
}

// TestAttacksBite switches off the defence behind each row: a row that stays
// green without its defence proves nothing.
func TestAttacksBite(t *testing.T) {
	killed, structural := 0, 0
	for _, r := range rows() {
		if len(r.off) == 0 {
			structural++
			if r.why == "" {
				t.Errorf("%s has neither a defence to switch off nor a reason", r.id)
			}
			continue
		}
		t.Run(r.id+" without "+fmt.Sprint(r.off), func(t *testing.T) {
			d := newDoor(t, r.options)
			guardtest.SwitchOff(d.guard, r.off...)
			if !r.try(d) {
				t.Errorf("%s stays green without %v", r.id, r.off)
				return
			}
			killed++
		})
	}
	t.Logf("rows %d, mutations killed %d, by construction %d", len(rows()), killed, structural)
}
