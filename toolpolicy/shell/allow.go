package shell

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// List decides which command lines run without asking. Its zero value allows
// nothing.
type List struct {
	patterns [][]string
	safe     []string
	dirs     []string
	off      mutate.Guards
}

// Options make a List.
type Options struct {
	Patterns []string // words; * is one argument that is no option, a final ** any number of any
	SafeBins []string // nil means the usual filters
	// TrustedDirs is where a bare name is looked up. Nil means
	// /usr/local/bin, /usr/bin and /bin.
	TrustedDirs []string
	Mutate      mutate.Guards
}

// New compiles a list. Patterns that could never match, and those for programs
// that run others, are left out and returned as bad, each with the reason.
func New(o Options) (l *List, bad []string) {
	l = &List{safe: o.SafeBins, dirs: o.TrustedDirs, off: o.Mutate}
	if l.safe == nil {
		l.safe = []string{"cut", "uniq", "head", "tail", "tr", "wc"}
	}
	for _, p := range o.Patterns {
		words, why := pattern(p)
		if why != "" {
			bad = append(bad, Show(p)+": "+why)
			continue
		}
		l.patterns = append(l.patterns, words)
	}
	for _, s := range l.safe {
		if _, ok := filters()[s]; !ok {
			bad = append(bad, "safeBins "+Show(s)+": not a filter that can be checked; use cut, uniq, head, tail, tr, wc, grep or sort")
		}
	}
	return l, bad
}

func usualDirs() []string { return []string{"/usr/local/bin", "/usr/bin", "/bin"} }

// pattern splits an entry into words and says what is wrong with it.
func pattern(p string) ([]string, string) {
	words := strings.Fields(p)
	switch {
	case len(words) == 0:
		return nil, "it is blank"
	case strings.ContainsAny(words[0], "*?["):
		return nil, "the program must be named"
	case Kind(words[0]) != "":
		return nil, words[0] + " is " + Kind(words[0]) + ", which only a human's yes covers"
	case strings.Contains(words[0], "/") && !path.IsAbs(words[0]):
		return nil, "name the program bare or by an absolute path"
	}
	if r, odd := unusual(p); odd {
		return nil, "it holds an unusual character " + Show(string(r))
	}
	for i, w := range words {
		if w == "**" && i != len(words)-1 {
			return nil, "** stands only at the end"
		}
	}
	return words, ""
}

// CheckPattern says why a pattern cannot be used, "" when it can.
func CheckPattern(p string) string {
	_, why := pattern(p)
	return why
}

// Split gives the commands of a line and whether they are all that would run.
func (l *List) Split(line string) ([][]string, bool) {
	a := analyze(line, l.off)
	out := make([][]string, 0, len(a.Commands))
	for _, c := range a.Commands {
		if len(c.Argv) == 0 {
			return nil, false
		}
		out = append(out, c.Argv)
	}
	return out, a.Understood()
}

// Allowed reports whether every command of the line is covered by a pattern or
// is a filter in a pipeline, or why not. On the host a bare name must also be
// found in a trusted directory which only root can write; inside a sandbox the
// image answers for its programs.
func (l *List) Allowed(line string, host bool) (bool, string) {
	a := analyze(line, l.off)
	if !a.Understood() {
		if len(a.Reasons) == 0 {
			return false, "there is no command"
		}
		return false, a.Reasons[0]
	}
	for _, c := range a.Commands {
		ok, why := l.covers(c.Argv, host)
		if !ok && l.off.On(mutate.GuardEvery) {
			return false, why
		}
		if ok && !l.off.On(mutate.GuardEvery) {
			return true, ""
		}
	}
	return l.off.On(mutate.GuardEvery), ""
}

// covers reports whether one command may run.
func (l *List) covers(argv []string, host bool) (bool, string) {
	if len(argv) == 0 || argv[0] == "" {
		return false, "a command is not settled before it runs"
	}
	name := argv[0]
	if !l.off.On(mutate.GuardPath) {
		name = path.Base(name)
	}
	listed := slices.ContainsFunc(l.patterns, func(p []string) bool { return Match(p, append([]string{name}, argv[1:]...)) })
	if !listed && !(slices.Contains(l.safe, name) && filters()[name].accepts(argv[1:])) {
		return false, Show(strings.Join(argv, " ")) + " is not on the list"
	}
	if host && l.off.On(mutate.GuardResolve) {
		if _, why := l.Resolve(name); why != "" {
			return false, why
		}
	}
	return true, ""
}

// Match reports whether argv is an instance of a pattern. The first word must
// be equal; * alone is one argument that is no option; * inside a word is any
// run without a slash; a final ** is whatever follows.
func Match(pattern, argv []string) bool {
	if len(pattern) == 0 || len(argv) == 0 || pattern[0] != argv[0] {
		return false
	}
	for i, w := range pattern[1:] {
		i++
		if w == "**" {
			return true
		}
		if i >= len(argv) || !matchWord(w, argv[i]) {
			return false
		}
	}
	return len(argv) == len(pattern)
}

func matchWord(w, arg string) bool {
	switch {
	case w == "*":
		return arg != "" && !strings.HasPrefix(arg, "-")
	case !strings.Contains(w, "*"):
		return w == arg
	case slices.Contains(strings.Split(arg, "/"), ".."):
		return false
	}
	ok, err := path.Match(strings.NewReplacer(`\`, `\\`, "[", `\[`, "?", `\?`).Replace(w), arg)
	return ok && err == nil
}

// Resolve finds the program that a command name means on this machine, or says
// why none can be trusted: neither the program nor any directory above it may
// be writable by anyone but root.
func (l *List) Resolve(name string) (string, string) {
	dirs := l.dirs
	if dirs == nil {
		dirs = usualDirs()
	}
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, d := range dirs {
			candidates = append(candidates, filepath.Join(d, name))
		}
	} else if !path.IsAbs(name) {
		return "", Show(name) + " is a relative path"
	}
	for _, c := range candidates {
		real, err := filepath.EvalSymlinks(c)
		if err != nil {
			continue
		}
		if why := untrusted(real); why != "" {
			return "", Show(real) + ": " + why
		}
		return real, ""
	}
	return "", Show(name) + " is in no trusted directory"
}

// untrusted says why a program's file could be somebody else's.
func untrusted(file string) string {
	for p := file; ; p = filepath.Dir(p) {
		fi, err := os.Lstat(p)
		if err != nil {
			return "it cannot be looked at"
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		switch {
		case !ok:
			return "its owner is unknown"
		case p == file && (!fi.Mode().IsRegular() || fi.Mode()&0o111 == 0):
			return "it is not a program"
		case st.Uid != 0:
			return p + " does not belong to root"
		case fi.Mode()&0o022 != 0 && fi.Mode()&os.ModeSticky == 0:
			return p + " is writable by others"
		}
		if p == filepath.Dir(p) {
			return ""
		}
	}
}

// filter is a program that only transforms its standard input, with the
// options that keep it so.
type filter struct {
	min, max int    // positional arguments
	valued   string // short options with a value
	flags    string // short options without
	long     []string
	longVal  []string
}

func filters() map[string]filter {
	f := strings.Fields
	return map[string]filter{
		"cut":  {valued: "bcfd", flags: "nsz", long: f("complement only-delimited zero-terminated"), longVal: f("bytes characters fields delimiter output-delimiter")},
		"uniq": {valued: "fsw", flags: "cduiz", long: f("count repeated unique ignore-case zero-terminated"), longVal: f("skip-fields skip-chars check-chars group")},
		"head": {valued: "nc", flags: "qvz", long: f("quiet silent verbose zero-terminated"), longVal: f("lines bytes")},
		"tail": {valued: "nc", flags: "qvz", long: f("quiet silent verbose zero-terminated"), longVal: f("lines bytes")},
		"tr":   {min: 1, max: 2, flags: "Ccdst", long: f("complement delete squeeze-repeats truncate-set1")},
		"wc":   {flags: "Lclmw", long: f("bytes chars lines max-line-length words")},
		"grep": {valued: "emABC", flags: "EFGPivwxcnoqshHLlabz", long: f("extended-regexp fixed-strings ignore-case invert-match word-regexp line-regexp count line-number only-matching quiet"), longVal: f("regexp max-count after-context before-context context label")},
		"sort": {valued: "ktS", flags: "bdfghiMnrRVcCmsuz", long: f("ignore-leading-blanks dictionary-order ignore-case general-numeric-sort human-numeric-sort month-sort numeric-sort reverse version-sort check stable unique zero-terminated"), longVal: f("key field-separator buffer-size")},
	}
}

// accepts reports whether the arguments keep the program a filter: known
// options in full, no files, nothing that looks like a path.
func (f filter) accepts(args []string) bool {
	positional := 0
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "-" || a == "--" || pathLike(a):
			return false
		case strings.HasPrefix(a, "--"):
			name, value, has := strings.Cut(a[2:], "=")
			switch {
			case slices.Contains(f.long, name) && !has:
			case slices.Contains(f.longVal, name) && has && !pathLike(value):
			case slices.Contains(f.longVal, name) && !has && i+1 < len(args) && !pathLike(args[i+1]):
				i++
			default:
				return false
			}
		case strings.HasPrefix(a, "-"):
			took, ok := f.cluster(a[1:], i+1 < len(args) && !pathLike(args[min(i+1, len(args)-1)]))
			if !ok {
				return false
			}
			if took {
				i++
			}
		default:
			positional++
		}
	}
	return positional >= f.min && positional <= f.max
}

// cluster reads short options written together; took says that the last one's
// value is the next argument.
func (f filter) cluster(s string, next bool) (took, ok bool) {
	for i, r := range s {
		switch {
		case strings.ContainsRune(f.flags, r):
		case strings.ContainsRune(f.valued, r):
			if i+1 < len(s) {
				return false, true
			}
			return next, next
		default:
			return false, false
		}
	}
	return false, s != ""
}

func pathLike(s string) bool {
	return strings.Contains(s, "/") || strings.HasPrefix(s, "~") || strings.Contains(s, "..")
}
