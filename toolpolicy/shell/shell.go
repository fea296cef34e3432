// Package shell understands command lines well enough to say what they would
// run, or to say that it does not. It works on the syntax tree of a real shell
// parser; whatever the tree cannot settle before the line runs – expansions,
// substitutions, redirections, programs that run other programs – makes a line
// "not understood", and such a line always needs a human's yes.
package shell

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"

	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// Limits of one line.
const (
	MaxLine     = 64 << 10 // bytes
	MaxCommands = 64
)

// Command is one simple command of a line.
type Command struct {
	Argv []string // words after quotes are removed; nil where a word is not settled
	Text string   // as written
}

// Analysis is what a line would run.
type Analysis struct {
	Commands []Command // in order, those inside substitutions and blocks included
	Reasons  []string  // why the line is not fully understood; empty when it is
}

// Understood reports whether Commands is exactly what would run.
func (a Analysis) Understood() bool { return len(a.Reasons) == 0 && len(a.Commands) > 0 }

// Analyze parses a line as bash and as a POSIX shell read it; where the two
// differ, the line is not understood.
func Analyze(line string) Analysis { return analyze(line, mutate.Guards{}) }

func analyze(line string, off mutate.Guards) Analysis {
	w := walker{off: off, src: line}
	if words := plain(line); words != nil {
		w.out.Commands = []Command{{Argv: words, Text: line}}
		w.classify(w.out.Commands[0])
		return w.out
	}
	switch {
	case len(line) > MaxLine:
		w.doubt(mutate.GuardParse, "the line is too long")
		return w.out
	case !utf8.ValidString(line):
		w.doubt(mutate.GuardParse, "the line is not valid UTF-8")
		return w.out
	}
	if r, ok := unusual(line); ok {
		w.doubt(mutate.GuardParse, "the line holds an unusual character: "+Show(string(r)))
	}
	bash, err := parse(line, syntax.LangBash)
	if err != nil {
		w.doubt(mutate.GuardParse, "the line does not parse: "+Show(err.Error()))
		return w.out
	}
	w.file(bash)
	w.compare(line)
	for _, c := range w.out.Commands {
		w.classify(c)
	}
	if len(w.out.Commands) == 0 {
		w.doubt(mutate.GuardParse, "there is no command")
	}
	return w.out
}

// plain is the words of a line in which no character means anything to any
// shell and the first word is an ordinary program; nil for every other line.
// It answers what the parser would, without it.
func plain(line string) []string {
	if len(line) > 4096 {
		return nil
	}
	for i := range len(line) {
		c := line[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == ' ' || c == '_' || c == '.' || c == '/' || c == '-' || c == ',' || c == '+' || c == '%' || c == '@' {
			continue
		}
		return nil
	}
	words := strings.Fields(line)
	if len(words) == 0 || Kind(words[0]) != "" || reserved(words[0]) {
		return nil
	}
	return words
}

// reserved words begin constructs rather than commands.
func reserved(w string) bool {
	switch w {
	case "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in",
		"select", "function", "coproc", "time", "let", "declare", "local", "export", "readonly", "typeset", "nameref", "end":
		return true
	}
	return false
}

// compare parses the line once more as a POSIX shell would.
func (w *walker) compare(line string) {
	posix, err := parse(line, syntax.LangPOSIX)
	if err != nil {
		w.doubt(mutate.GuardParse, "bash and sh read the line differently")
		return
	}
	other := walker{off: w.off, src: line}
	other.file(posix)
	if len(other.out.Commands) != len(w.out.Commands) {
		w.doubt(mutate.GuardParse, "bash and sh read the line differently")
		return
	}
	for i, c := range other.out.Commands {
		if strings.Join(c.Argv, "\x00") != strings.Join(w.out.Commands[i].Argv, "\x00") {
			w.doubt(mutate.GuardParse, "bash and sh read the line differently")
			return
		}
	}
}

func parse(line string, lang syntax.LangVariant) (*syntax.File, error) {
	p := syntax.NewParser(syntax.Variant(lang), syntax.KeepComments(true))
	return p.Parse(strings.NewReader(line), "")
}

// unusual finds the first character that a person cannot see or could take for
// another: controls other than tab and newline, invisible and direction
// characters, and spaces outside ASCII.
func unusual(s string) (rune, bool) {
	for _, r := range s {
		if hidden(r) {
			return r, true
		}
	}
	return 0, false
}

func hidden(r rune) bool {
	switch {
	case r == '\n', r == '\t', r == ' ':
		return false
	case r < 0x20, r == 0x7f, r == utf8.RuneError:
		return true
	case r < 0x80:
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Cc, unicode.Co, unicode.Cs, unicode.Zs, unicode.Zl, unicode.Zp,
		unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Show renders a text so that everything in it can be seen: what is invisible,
// changes the direction of writing or is a stray control becomes \u{…}.
func Show(s string) string {
	if _, ok := unusual(s); !ok && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			b.WriteString(`\x{` + hex(rune(s[i])) + `}`)
		case hidden(r):
			b.WriteString(`\u{` + hex(r) + `}`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hex(r rune) string {
	const digits = "0123456789abcdef"
	if r < 16 {
		return string(digits[r])
	}
	return hex(r/16) + string(digits[r%16])
}

// Quote renders one word so that every shell reads it as exactly s.
func Quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
