package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// walker gathers the commands of a tree and every reason for doubt.
type walker struct {
	off mutate.Guards
	src string
	out Analysis
}

// doubt records why the line is not understood, unless a test switched the
// guard off.
func (w *walker) doubt(g mutate.Guard, reason string) {
	if w.off.On(g) && !slices.Contains(w.out.Reasons, reason) && len(w.out.Reasons) < 32 {
		w.out.Reasons = append(w.out.Reasons, reason)
	}
}

// file walks a whole line.
func (w *walker) file(f *syntax.File) {
	syntax.Walk(f, func(n syntax.Node) bool {
		w.node(n)
		return true
	})
	if len(w.out.Commands) > MaxCommands {
		w.doubt(mutate.GuardParse, "the line holds too many commands")
	}
}

// node looks at one node. The walk visits all of them, so that commands inside
// substitutions, blocks and functions are found as well.
func (w *walker) node(n syntax.Node) {
	switch n := n.(type) {
	case nil, *syntax.File, *syntax.Word, *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted:
	case *syntax.Stmt:
		w.stmt(n)
	case *syntax.CallExpr:
		w.call(n)
	case *syntax.BinaryCmd:
		if n.Op == syntax.PipeAll {
			w.doubt(mutate.GuardRedirect, "|& joins error output")
		}
	case *syntax.Redirect:
		w.doubt(mutate.GuardRedirect, "a redirection: "+w.text(n))
	case *syntax.CmdSubst:
		w.doubt(mutate.GuardExpand, "a command substitution: "+w.text(n))
	case *syntax.ProcSubst:
		w.doubt(mutate.GuardExpand, "a process substitution: "+w.text(n))
	case *syntax.ParamExp:
		w.doubt(mutate.GuardExpand, "a variable: "+w.text(n))
	case *syntax.ArithmExp, *syntax.ExtGlob, *syntax.BraceExp:
		w.doubt(mutate.GuardExpand, "an expansion: "+w.text(n))
	case *syntax.Assign:
		w.doubt(mutate.GuardAssign, "an assignment: "+w.text(n))
	case *syntax.Comment:
		w.doubt(mutate.GuardParse, "a comment")
	default:
		w.doubt(mutate.GuardParse, "a construct that is not a plain command: "+w.text(n))
	}
}

func (w *walker) stmt(s *syntax.Stmt) {
	switch {
	case s.Background, s.Coprocess, s.Disown:
		w.doubt(mutate.GuardParse, "a background command: "+w.text(s))
	case s.Negated:
		w.doubt(mutate.GuardParse, "a negated command: "+w.text(s))
	}
	if s.Cmd == nil && len(s.Redirs) == 0 {
		w.doubt(mutate.GuardParse, "an empty command")
	}
}

// call notes one simple command with the words that are settled.
func (w *walker) call(c *syntax.CallExpr) {
	if len(c.Args) == 0 {
		return // only assignments, which are doubted by themselves
	}
	cmd := Command{Text: w.text(c), Argv: make([]string, 0, len(c.Args))}
	for _, word := range c.Args {
		s, ok := w.word(word)
		if !ok {
			cmd.Argv = nil
			break
		}
		cmd.Argv = append(cmd.Argv, s)
	}
	w.out.Commands = append(w.out.Commands, cmd)
}

// word is a word's exact value, where nothing in it is expanded.
func (w *walker) word(word *syntax.Word) (string, bool) {
	var b strings.Builder
	for i, part := range word.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			if why := bareFault(p.Value, i == 0); why != "" {
				w.doubt(mutate.GuardExpand, why+": "+w.text(word))
				if w.off.On(mutate.GuardExpand) {
					return "", false
				}
			}
			b.WriteString(p.Value)
		case *syntax.SglQuoted:
			if p.Dollar {
				w.doubt(mutate.GuardExpand, "an escaped quote: "+w.text(word))
				return "", false
			}
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			s, ok := w.quoted(p, word)
			if !ok {
				return "", false
			}
			b.WriteString(s)
		default: // doubted where it is visited
			if w.off.On(mutate.GuardExpand) {
				return "", false
			}
			b.WriteString(w.text(p))
		}
	}
	return b.String(), true
}

// bareFault says what an unquoted word part would expand to.
func bareFault(s string, first bool) string {
	switch {
	case strings.ContainsRune(s, '\\'):
		return "an escape outside quotes"
	case strings.ContainsAny(s, "*?["):
		return "a file name pattern"
	case strings.ContainsAny(s, "{}"):
		return "braces"
	case first && strings.HasPrefix(s, "~"), strings.Contains(s, "=~"), strings.Contains(s, ":~"):
		return "a home directory"
	case first && strings.HasPrefix(s, "="):
		return "an equals expansion"
	case strings.ContainsAny(s, "^!"):
		return "a history character"
	}
	return ""
}

// quoted is the value of a double-quoted part without expansions.
func (w *walker) quoted(q *syntax.DblQuoted, word *syntax.Word) (string, bool) {
	if q.Dollar {
		w.doubt(mutate.GuardExpand, "a translated quote: "+w.text(word))
		return "", false
	}
	var b strings.Builder
	for _, part := range q.Parts {
		lit, ok := part.(*syntax.Lit)
		if !ok {
			if w.off.On(mutate.GuardExpand) {
				return "", false
			}
			b.WriteString(w.text(part))
			continue
		}
		if strings.ContainsAny(lit.Value, "\\!") {
			w.doubt(mutate.GuardExpand, "an escape inside quotes: "+w.text(word))
			return "", false
		}
		b.WriteString(lit.Value)
	}
	return b.String(), true
}

// text is a node as it was written, shortened and made visible.
func (w *walker) text(n syntax.Node) string {
	from, to := int(n.Pos().Offset()), int(n.End().Offset())
	if from > to || to > len(w.src) {
		return ""
	}
	s := w.src[from:to]
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "") + "…"
	}
	return Show(s)
}
