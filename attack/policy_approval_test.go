package attack

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/gatewaytest"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/toolpolicy"
	"github.com/chitin-sh/chitin/toolpolicy/approval"
	"github.com/chitin-sh/chitin/toolpolicy/policytest"
	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// lineAllowed reports whether a list of harmless programs lets one of the
// lines run without asking.
func lineAllowed(t *testing.T, off policytest.Off, host bool, o shell.Options, lines ...string) bool {
	t.Helper()
	if o.Patterns == nil {
		o.Patterns = []string{"git **", "echo **", "cat **", "head **", "ls **", "sort **"}
	}
	l, _ := shell.New(off.Shell(o))
	for _, line := range lines {
		if ok, _ := l.Allowed(line, host); ok {
			return true
		}
	}
	return false
}

// forbidden reports whether one of the lines runs rm under a rule that forbids
// the program rm.
func forbidden(t *testing.T, off policytest.Off, lines ...string) bool {
	t.Helper()
	e := policyEngine(t, off, policyConfig(toolpolicy.Config{Rules: toolpolicy.RulesConfig{
		Inline: `forbid(principal, action, resource == Tool::"exec") when { context.program == "rm" };`,
	}}))
	for _, line := range lines {
		args := `{"command":` + quoteJSON(line) + `}`
		if allowed(e, gatewaytest.Caller(), "exec", "http", policySession(nil), args) {
			return true
		}
	}
	return false
}

func quoteJSON(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func TestPolicyAdvisoriesE(t *testing.T) {
	lines := func(guards string, id, ref string, cwe int, lines ...string) policyRow {
		return policyRow{id, ref, cwe, guards, func(t *testing.T, off policytest.Off) bool {
			return lineAllowed(t, off, false, shell.Options{}, lines...)
		}}
	}
	wrapped := func(id, ref string, cwe int, lines ...string) policyRow {
		return policyRow{id, ref, cwe, "wrapper", func(t *testing.T, off policytest.Off) bool { return forbidden(t, off, lines...) }}
	}
	runPolicyRows(t, []policyRow{
		lines("expand", "E1", "CVE-2026-28463", 78, `head $HOME/.ssh/id_rsa`, `head ~/.ssh/*`),
		lines("option", "E2", "CVE-2026-28363", 184, "sort --compress-prog=id", "sort --com=id", "sort --outp=f"),
		wrapped("E3", "CVE-2026-31992", 184, "env -S 'sh -c rm'", "env --split-string=rm", "env -Srm"),
		wrapped("E4", "CVE-2026-27183", 863, strings.Repeat("env ", 50)+"rm x", strings.Repeat("nice ", 50)+"sh -c 'rm x'"),
		lines("expand every", "E5", "CVE-2026-22179", 78, "echo $(id)", "echo `id`", "cat <(id)"),
		lines("path", "E6", "CVE-2026-32016", 426, "./git status", "/tmp/git status"),
		{"E7", "CVE-2026-32009", 426, "resolve", func(t *testing.T, off policytest.Off) bool {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			return lineAllowed(t, off, true, shell.Options{TrustedDirs: []string{dir}}, "git status")
		}},
		wrapped("E8", "CVE-2026-32052", 436, `sh -c '"$@"' _ rm -rf x`, `bash -c '$0 x' rm`),
		wrapped("E13", "CVE-2026-43530", 863, "busybox rm x", "toybox rm x", "busybox sh -c 'rm x'"),
		wrapped("E14", "CVE-2026-41390", 807, "script -c 'rm x'", "setarch -R rm x", "unshare rm x", "xargs rm", "nice rm x", "timeout 5 rm x", "tar --checkpoint-action=exec=rm", "vim -c rm", "awk rm"),
		wrapped("E15", "GHSA-3fp5-v549-9v66", 863, "flock f rm x", "flock f -c 'rm x'"),
		wrapped("E16", "CVE-2026-53848", 184, "stdbuf -o L rm x", "/usr/bin/time -o f rm x"),
		lines("assign", "E17", "CVE-2026-42435", 184, "GIT_PAGER=id git log", "PATH=/tmp git status"),
		wrapped("E18", "CVE-2026-53855", 184, "bash -lc 'rm x'", "sh -xec 'rm x'", "bash -ceu 'rm x'", "sh -c 'rm \"$1\"' _ x"),
		{"E19", "CVE-2026-53853", 693, "every", func(t *testing.T, off policytest.Off) bool {
			return lineAllowed(t, off, false, shell.Options{Patterns: []string{"git log **", "echo hi"}}, "git push", "echo other", "echo hi; git push")
		}},
		wrapped("E20", "GHSA-57jw-9722-6rf2", 863, "npm exec rm", "npx rm", "pnpm dlx rm", "uvx rm", "make rm"),
		lines("expand redirect every", "E21", "GHSA-x3h8-jrgh-p8jx", 200, "cat <<E\n$(id)\nE"),
		lines("every", "E22", "GHSA-fvx6-pj3r-5q4q", 184, "echo x | rm", "git status; rm x", "git status && rm x", "git status || rm x", "git status\nrm x"),
		{"E24", "GHSA-pcqg-f7rg-xfvv", 451, "render", func(t *testing.T, off policytest.Off) bool {
			for _, s := range []string{"rm\u200b x", "git \u202esutats", "a\u2066b", "a\x1b[2Kb", "a\u00adb", "a\U000e0041b"} {
				if off.Show(s) == s {
					return true
				}
			}
			return false
		}},
		lines("every", "E29", "GoClaw #1208", 78, "git status; rm -rf x", "git status && sh -c id"),
		lines("parse", "E9", "CVE-2026-32065", 436, "git\u00a0status", "git status\u200b", "git status\u2028"),
	})
}

// desk is a book with an asker, an approver and a place whose files a test
// changes.
type desk struct {
	t     *testing.T
	book  *approval.Book
	clock *policytest.Clock
	files map[string]string
	asker gateway.Caller
	pet   toolpolicy.Petition
	where approval.Context
}

func (d *desk) Program(_ context.Context, name string) (string, error) {
	return "/usr/bin/" + name, nil
}

func (d *desk) Open(_ context.Context, p string) (io.ReadCloser, error) {
	text, ok := d.files[p]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

const deskArgs = `{"command":"sh run.sh","workdir":"/w"}`

func newDesk(t *testing.T, off policytest.Off) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d := &desk{t: t, clock: &policytest.Clock{At: time.Unix(1_800_000_000, 0)}, asker: guest(gateway.ScopeWrite),
		files: map[string]string{"/usr/bin/sh": "shell", "/w/run.sh": "echo hi"}}
	d.book, err = approval.Open(t.Context(), db, off.Approvals(approval.Options{Now: d.clock.Now, Timeout: time.Minute}))
	if err != nil {
		t.Fatal(err)
	}
	e := policyEngine(t, policytest.Off{}, toolpolicy.Source{})
	_, decision := e.Decide(d.asker, &toolpolicy.Query{Tool: "exec", Surface: "acp", Session: policySession(nil), Args: []byte(deskArgs)})
	d.pet = decision.Petition()
	d.where = approval.Context{Files: d, Cwd: "/w", Env: []string{"A=1"}, Sandbox: "hash-1"}
	return d
}

func (d *desk) plan(args string) *approval.Plan {
	d.t.Helper()
	p, err := approval.Build(d.t.Context(), d.pet, []byte(args), d.where)
	if err != nil {
		d.t.Fatal(err)
	}
	return &p
}

// asked parks the call and answers it as by, when by is somebody.
func (d *desk) asked(by gateway.Caller, a approval.Answer) (approval.Request, error) {
	d.t.Helper()
	r, err := d.book.Ask(d.t.Context(), d.pet, d.plan(deskArgs))
	if err != nil {
		d.t.Fatal(err)
	}
	if by.Anonymous() {
		return r, nil
	}
	return r, d.book.Decide(d.t.Context(), by, r.ID, a)
}

func (d *desk) redeemed(r approval.Request, args string) bool {
	g, _ := d.book.Redeem(d.t.Context(), r.ID, d.pet, d.plan(args))
	return g.Valid()
}

func TestPolicyAdvisoriesApproval(t *testing.T) {
	boss := gatewaytest.Caller(gatewaytest.ID("boss"), gatewaytest.Owner(false), gatewaytest.Scopes(gateway.ScopeApprovals))
	yes := approval.Answer{Allow: true}
	changed := func(id, ref string, cwe int, args string, change func(*desk)) policyRow {
		return policyRow{id, ref, cwe, "plan", func(t *testing.T, off policytest.Off) bool {
			d := newDesk(t, off)
			r, err := d.asked(boss, yes)
			if err != nil {
				t.Fatal(err)
			}
			change(d)
			return d.redeemed(r, args)
		}}
	}
	decides := func(id, ref string, cwe int, guards string, who gateway.Caller) policyRow {
		return policyRow{id, ref, cwe, guards, func(t *testing.T, off policytest.Off) bool {
			_, err := newDesk(t, off).asked(who, yes)
			return err == nil
		}}
	}
	stranger := gatewaytest.Caller(gatewaytest.ID("boss"), gatewaytest.Tenant("other"))
	runPolicyRows(t, []policyRow{
		changed("E9b", "CVE-2026-32065", 436, `{"command":"sh run.sh ","workdir":"/w"}`, func(*desk) {}),
		changed("E10", "CVE-2026-53822", 367, `{"command":"sh evil.sh","workdir":"/w"}`, func(*desk) {}),
		changed("E11", "CVE-2026-43529", 367, deskArgs, func(d *desk) { d.files["/usr/bin/sh"] = "another shell" }),
		changed("E12", "CVE-2026-41360", 367, deskArgs, func(d *desk) { d.files["/w/run.sh"] = "rm -rf x" }),
		changed("E12b", "a script that appears later", 367, deskArgs, func(d *desk) { d.files["/w/Makefile"] = "x" }),
		changed("E27", "CVE-2026-62228", 863, deskArgs, func(d *desk) { d.where.Sandbox = "hash-2" }),
		changed("E27b", "another directory", 863, `{"command":"sh run.sh","workdir":"/x"}`, func(*desk) {}),
		changed("E30", "CVE-2025-54136", 345, deskArgs, func(d *desk) { d.where.Env = []string{"A=2"} }),
		{"E23", "GHSA-q2gc-xjqw-qp89", 636, "timeout", func(t *testing.T, off policytest.Off) bool {
			d := newDesk(t, off)
			r, _ := d.asked(gateway.Caller{}, yes)
			d.clock.At = d.clock.At.Add(time.Hour)
			err := d.book.Wait(t.Context(), r)
			return !errors.Is(err, approval.ErrDenied) && d.redeemed(r, deskArgs)
		}},
		{"E28", "CVE-2026-53816", 862, "once", func(t *testing.T, off policytest.Off) bool {
			d := newDesk(t, off)
			r, _ := d.asked(boss, yes)
			if !d.redeemed(r, deskArgs) {
				t.Fatal("a plain yes does not work")
			}
			return d.redeemed(r, deskArgs)
		}},
		{"E31", "the policy changed while a human thought", 367, "fresh", func(t *testing.T, off policytest.Off) bool {
			d := newDesk(t, off)
			r, _ := d.asked(boss, yes)
			e := policyEngine(t, policytest.Off{}, policyConfig(toolpolicy.Config{Deny: []string{"exec"}}))
			_, now := e.Decide(d.asker, &toolpolicy.Query{Tool: "exec", Surface: "acp", Session: policySession(nil), Args: []byte(deskArgs)})
			_, err := d.book.Redeem(t.Context(), r.ID, now.Petition(), d.plan(deskArgs))
			return !errors.Is(err, approval.ErrVoid)
		}},
		decides("E26", "CVE-2026-35630", 862, "approver", guest(gateway.ScopeWrite)),
		decides("C3", "CVE-2026-33579", 863, "approver", gatewaytest.Caller(gatewaytest.ID("x"), gatewaytest.Owner(false), gatewaytest.Scopes(gateway.ScopeRead))),
		decides("C27", "CVE-2026-19006", 863, "approver", gatewaytest.Caller(gatewaytest.ID("guest"))),
		decides("C4", "CVE-2026-33577", 863, "tenant", stranger),
	})
}
