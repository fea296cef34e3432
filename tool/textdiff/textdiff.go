// Package textdiff compares two texts line by line and shows the difference in
// the two forms that file tools answer with: numbered lines for reading, and a
// unified patch.
package textdiff

import (
	"fmt"
	"strings"
)

// Result is a difference. Both texts are cut when they grow too long.
type Result struct {
	Diff             string
	Patch            string
	FirstChangedLine int // in the new text, from 1; 0 when nothing changed
}

const (
	context  = 4        // unchanged lines around a change
	maxText  = 64 << 10 // of Diff and of Patch
	maxInput = 4 << 20  // larger texts are not compared line by line
	cutNote  = "... (truncated)"
)

// op is one line of the comparison; kind is ' ', '-' or '+'.
type op struct {
	kind     byte
	text     string // with its line end
	old, new int    // line numbers from 1
}

// Compare returns the difference between two versions of the file at path.
func Compare(path, old, new string) Result {
	if old == new {
		return Result{}
	}
	a, b := split(old), split(new)
	if len(old)+len(new) > maxInput {
		return Result{FirstChangedLine: commonPrefix(a, b) + 1, Diff: cutNote, Patch: cutNote}
	}
	ops := compare(a, b)
	r := Result{}
	for _, o := range ops {
		if o.kind != ' ' {
			r.FirstChangedLine = o.new
			break
		}
	}
	width := len(fmt.Sprint(max(strings.Count(old, "\n"), strings.Count(new, "\n")) + 1))
	r.Diff = numbered(ops, width)
	r.Patch = unified(path, ops)
	return r
}

// split cuts after every line end, so that a missing last one is a difference.
func split(s string) []string {
	if s == "" {
		return nil
	}
	lines := strings.SplitAfter(s, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func commonPrefix(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// numbered shows changed lines with their numbers and a little around them.
func numbered(ops []op, width int) string {
	var b strings.Builder
	gap := false
	for i, o := range ops {
		if o.kind == ' ' && !near(ops, i) {
			if !gap {
				fmt.Fprintf(&b, " %*s ...\n", width, "")
			}
			gap = true
			continue
		}
		gap = false
		n := o.old
		if o.kind == '+' {
			n = o.new
		}
		fmt.Fprintf(&b, "%c%*d %s\n", o.kind, width, n, strings.TrimSuffix(o.text, "\n"))
		if b.Len() > maxText {
			b.WriteString(cutNote)
			break
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// near reports whether a change lies within the context of line i.
func near(ops []op, i int) bool {
	for j := max(0, i-context); j < min(len(ops), i+context+1); j++ {
		if ops[j].kind != ' ' {
			return true
		}
	}
	return false
}

// unified shows the same as a patch.
func unified(path string, ops []op) string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", path, path)
	for i := 0; i < len(ops); {
		if !near(ops, i) {
			i++
			continue
		}
		end := i
		for end < len(ops) && near(ops, end) {
			end++
		}
		hunk(&b, ops[i:end])
		i = end
		if b.Len() > maxText {
			b.WriteString(cutNote)
			break
		}
	}
	return b.String()
}

func hunk(b *strings.Builder, ops []op) {
	var olds, news int
	for _, o := range ops {
		if o.kind != '+' {
			olds++
		}
		if o.kind != '-' {
			news++
		}
	}
	oldStart, newStart := ops[0].old, ops[0].new
	if olds == 0 {
		oldStart--
	}
	if news == 0 {
		newStart--
	}
	fmt.Fprintf(b, "@@ -%d,%d +%d,%d @@\n", oldStart, olds, newStart, news)
	for _, o := range ops {
		b.WriteByte(o.kind)
		b.WriteString(o.text)
		if !strings.HasSuffix(o.text, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
		if b.Len() > maxText {
			return
		}
	}
}
