// Package policytest lets tests switch off one guard of the policy at a time,
// to prove that the guard is what stops an attack.
package policytest

import (
	"testing"
	"time"

	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// Guards that a test can switch off, by name.
var guards = map[string]mutate.Guard{
	"name": mutate.GuardName, "caller": mutate.GuardCaller, "lists": mutate.GuardLists,
	"sandbox": mutate.GuardSandbox, "subagent": mutate.GuardSubagent, "inherited": mutate.GuardInherited,
	"surface": mutate.GuardSurface, "owner": mutate.GuardOwner, "host": mutate.GuardHost,
	"elevated": mutate.GuardElevated, "exec": mutate.GuardExec, "rules": mutate.GuardRules,
	"reach": mutate.GuardReach, "folding": mutate.GuardFolding, "rule-error": mutate.GuardRuleError,
	"parse": mutate.GuardParse, "wrapper": mutate.GuardWrapper, "expand": mutate.GuardExpand,
	"redirect": mutate.GuardRedirect, "option": mutate.GuardOption, "assign": mutate.GuardAssign,
	"path": mutate.GuardPath, "resolve": mutate.GuardResolve, "every": mutate.GuardEvery,
	"plan": mutate.GuardPlan, "approver": mutate.GuardApprover, "timeout": mutate.GuardTimeout,
	"once": mutate.GuardOnce, "tenant": mutate.GuardTenant, "render": mutate.GuardRender, "fresh": mutate.GuardFresh,
}

// Off is a set of guards that are switched off for one test.
type Off struct{ set mutate.Guards }

// Without switches off the named guards. It needs a running test, so that no
// program can.
func Without(tb testing.TB, names ...string) Off {
	tb.Helper()
	var o Off
	for _, n := range names {
		g, ok := guards[n]
		if !ok {
			tb.Fatalf("no guard is called %q", n)
		}
		o.set = o.set.Without(g)
	}
	return o
}

// Source returns src with the guards off.
func (o Off) Source(src toolpolicy.Source) toolpolicy.Source {
	src.Mutate = o.set
	return src
}

// Shell returns s with the guards off.
func (o Off) Shell(s shell.Options) shell.Options {
	s.Mutate = o.set
	return s
}

// Approvals returns a with the guards off.
func (o Off) Approvals(a approval.Options) approval.Options {
	a.Mutate = o.set
	return a
}

// Show renders a text for a prompt as the approvals do.
func (o Off) Show(s string) string {
	if !o.set.On(mutate.GuardRender) {
		return s
	}
	return shell.Show(s)
}

// Clock is a clock that a test moves.
type Clock struct{ At time.Time }

// Now is the time it shows.
func (c *Clock) Now() time.Time { return c.At }
