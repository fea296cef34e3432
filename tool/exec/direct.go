package exec

import (
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/chitin-sh/chitin/sandbox"
)

// shellWords are words that a shell handles itself, other than a program of
// the same name would, or that begin a construct of its grammar.
var shellWords = []string{
	".", ":", "alias", "bg", "bind", "break", "builtin", "caller", "case", "cd", "chdir", "command", "compgen",
	"complete", "compopt", "continue", "coproc", "declare", "dirs", "disown", "do", "done", "echo", "elif", "else",
	"enable", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "function", "getopts", "hash",
	"help", "history", "if", "in", "jobs", "kill", "let", "local", "logout", "mapfile", "popd", "printf", "pushd",
	"pwd", "read", "readarray", "readonly", "return", "select", "set", "shift", "shopt", "source", "suspend",
	"test", "then", "time", "times", "trap", "type", "typeset", "ulimit", "umask", "unalias", "unset", "until",
	"wait", "while",
}

// maxDirect bounds the commands that are looked at, in bytes.
const maxDirect = 4 << 10

// direct is the program and arguments of a command that has only plain words,
// which no shell would change, and so needs none; nil for every other command.
// A shell costs as much as the program again.
func direct(command string) []string {
	if len(command) > maxDirect || strings.ContainsFunc(command, func(r rune) bool { return !plain(r) }) {
		return nil
	}
	argv := strings.Fields(command)
	switch {
	case len(argv) == 0, argv[0][0] == '-', strings.ContainsRune(argv[0], '='), slices.Contains(shellWords, argv[0]):
		return nil
	case (argv[0] == "true" || argv[0] == "false") && len(argv) > 1:
		return nil // the programs know options
	}
	return argv
}

// plain are the characters that mean themselves wherever they stand.
func plain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" _-./:@%+,=", r)
}

// unshell makes r run its command without a shell if it can. A shell would
// have said where it is.
func (r *run) unshell() {
	if r.args.Back || r.args.PTY || r.call.Place.Host() {
		return
	}
	argv := direct(r.args.Command)
	if argv == nil {
		return
	}
	r.shell, r.cmd.Argv = r.cmd.Argv, argv
	if _, ok := r.args.Env["PWD"]; !ok {
		r.cmd.Env = append(r.cmd.Env, "PWD="+r.cwd())
	}
}

// noProgram are the errors of a program that did not start.
var noProgram = []syscall.Errno{syscall.ENOENT, syscall.EACCES, syscall.ENOEXEC, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG}

// notStarted reports whether the program alone did not start, so that nothing
// has run: then the shell may try, and says what is wrong in its own words.
func (r *run) notStarted(err error) bool {
	var errno syscall.Errno
	if r.shell == nil || !errors.As(err, &errno) || !slices.Contains(noProgram, errno) || errors.Is(err, sandbox.ErrGone) {
		return false
	}
	r.cmd.Argv, r.shell = r.shell, nil
	return true
}
