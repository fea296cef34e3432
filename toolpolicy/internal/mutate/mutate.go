// Package mutate names the policy's guards so that a test can switch one off
// and see that an attack then succeeds. Its value can only be made inside the
// policy's folder, where package policytest asks for a running test.
package mutate

// Guard is one protection.
type Guard uint

// The guards.
const (
	GuardName      Guard = iota // exact names, known tools only
	GuardCaller                 // proved caller, tenant, scope
	GuardLists                  // every configured allow/deny layer
	GuardSandbox                // the sandbox's tool list and read-only workspace
	GuardSubagent               // what a sub-agent may never use
	GuardInherited              // a parent's restrictions
	GuardSurface                // floors of HTTP, ACP and the rest
	GuardOwner                  // owner-only tools
	GuardHost                   // nothing reaches the host unasked
	GuardElevated               // the gates of elevated exec
	GuardExec                   // exec.mode and its allow list
	GuardRules                  // Cedar rules
	GuardReach                  // session tools stay in their own tree
	GuardFolding                // argument names that differ only by case
	GuardRuleError              // a rule that cannot be evaluated denies

	GuardParse    // shell: what cannot be modelled is not understood
	GuardWrapper  // shell: wrappers, runners and interpreters
	GuardExpand   // shell: expansions, globs, substitutions
	GuardRedirect // shell: redirections
	GuardOption   // shell: dangerous options and their abbreviations
	GuardAssign   // shell: environment assignments
	GuardPath     // shell: a name given as a path is not the bare name
	GuardResolve  // shell: only trusted directories answer for a bare name
	GuardEvery    // shell: every command of a chain must match

	GuardPlan     // approval: the plan's digest must be the approved one
	GuardApprover // approval: scope, tenant, not the asker
	GuardTimeout  // approval: silence is no
	GuardOnce     // approval: a yes is used once
	GuardTenant   // approval: rows of another tenant do not exist
	GuardRender   // approval: invisible text is shown, not hidden
	GuardFresh    // approval: the policy is asked again before a yes is used
)

// Guards is a set of guards that are switched off. The zero value has all of
// them on.
type Guards struct{ off uint64 }

// Without returns the set with g switched off as well.
func (s Guards) Without(g Guard) Guards { return Guards{s.off | 1<<g} }

// On reports whether g protects.
func (s Guards) On(g Guard) bool { return s.off&(1<<g) == 0 }
