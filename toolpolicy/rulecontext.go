package toolpolicy

import (
	"path"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// Targets of one call are bounded: a line of a thousand commands or a patch of
// a thousand files is refused rather than judged slowly.
const maxTargets = 256

// pathArgs are the arguments that rules see as a plain path below the
// workspace: cleaned, relative, and without any ".." inside.
var pathArgs = [...]string{"path", "workdir", "cwd", "image", "file"}

// targets builds the context of every part of the call that must be permitted
// by itself. The second result says why the arguments cannot be judged.
func (e *Engine) targets(st *state, t *toolRules) ([]cedar.Record, string) {
	base := cedar.RecordMap{"surface": cedar.String(st.q.Surface)}
	if t.need&needSession != 0 {
		base["session"] = sessionRecord(&st.s)
	}
	if t.need&needNow != 0 {
		now := st.q.Now
		if now.IsZero() {
			now = e.now()
		}
		base["now"] = cedar.NewDatetime(now)
		base["hour"] = cedar.Long(now.Hour())
		base["weekday"] = cedar.String(now.Weekday().String())
	}
	if t.need&(needArgs|needCommand) == 0 {
		return []cedar.Record{cedar.NewRecord(base)}, ""
	}
	args, err := parseArgs(st.q.Args)
	if err != nil {
		return nil, "the arguments cannot be read: " + err.Error()
	}
	if e.off.On(mutate.GuardFolding) {
		for k := range args {
			for want := range t.fold {
				if string(k) != want && strings.EqualFold(string(k), want) {
					return nil, "argument " + quote(string(k)) + " differs from " + quote(want) + " only by case"
				}
			}
		}
	}
	for _, k := range pathArgs {
		if s, ok := args[cedar.String(k)].(cedar.String); ok {
			args[cedar.String(k)] = cedar.String(e.cleanPath(string(s)))
		}
	}
	switch {
	case st.traits&traitExec != 0:
		return e.commandTargets(base, args, t.need&needCommand != 0)
	case st.name == "apply_patch":
		input, _ := args["input"].(cedar.String)
		return e.pathTargets(base, args, "path", PatchPaths(string(input)))
	case st.name == "image" || st.name == "view_image":
		return e.pathTargets(base, args, "image", imagePaths(args))
	}
	base["args"] = cedar.NewRecord(args)
	return []cedar.Record{cedar.NewRecord(base)}, ""
}

// cleanPath is p as rules see it: relative to the workspace where it lies
// inside. A path that leaves the workspace begins with ../ or /.
func (e *Engine) cleanPath(p string) string {
	p = path.Clean(p)
	if p == e.workdir {
		return "."
	}
	return strings.TrimPrefix(p, e.workdir+"/")
}

// commandTargets gives one context for each command of a line. Where the line
// is not fully understood the command, program and argv are absent, so that a
// permit on them fails and a forbid that needs them denies.
func (e *Engine) commandTargets(base, args cedar.RecordMap, words bool) ([]cedar.Record, string) {
	line, _ := args["command"].(cedar.String)
	delete(args, "command")
	var commands [][]string
	understood := false
	if e.commands != nil {
		commands, understood = e.commands.Split(string(line))
	}
	if !understood || len(commands) == 0 {
		base["args"] = cedar.NewRecord(args)
		return []cedar.Record{cedar.NewRecord(base)}, ""
	}
	if len(commands) > maxTargets {
		return nil, "the line holds too many commands"
	}
	out := make([]cedar.Record, 0, len(commands))
	for _, argv := range commands {
		args["command"] = cedar.String(strings.Join(argv, " "))
		if words {
			set := make([]cedar.Value, len(argv))
			for i, w := range argv {
				set[i] = cedar.String(w)
			}
			base["program"] = cedar.String(argv[0])
			base["argv"] = cedar.NewSet(set...)
		}
		base["args"] = cedar.NewRecord(args)
		out = append(out, cedar.NewRecord(base))
	}
	return out, ""
}

// pathTargets gives one context for each path that a call names in another way
// than by one argument, as args.<key>.
func (e *Engine) pathTargets(base, args cedar.RecordMap, key cedar.String, paths []string) ([]cedar.Record, string) {
	delete(args, key)
	if len(paths) == 0 {
		base["args"] = cedar.NewRecord(args)
		return []cedar.Record{cedar.NewRecord(base)}, ""
	}
	if len(paths) > maxTargets {
		return nil, "the call names too many files"
	}
	out := make([]cedar.Record, 0, len(paths))
	for _, p := range paths {
		args[key] = cedar.String(e.cleanPath(p))
		base["args"] = cedar.NewRecord(args)
		out = append(out, cedar.NewRecord(base))
	}
	return out, ""
}

// imagePaths are the paths of image and images.
func imagePaths(args cedar.RecordMap) []string {
	var out []string
	if s, ok := args["image"].(cedar.String); ok {
		out = append(out, string(s))
	}
	if set, ok := args["images"].(cedar.Set); ok {
		for v := range set.All() {
			if s, ok := v.(cedar.String); ok {
				out = append(out, string(s))
			}
		}
	}
	return out
}

// PatchPaths finds every path that a patch names, in any of its headers. It
// takes a line for a header even where it may be content: judging one path too
// many only denies more.
func PatchPaths(input string) []string {
	var out []string
	for line := range strings.Lines(input) {
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		for _, h := range [...]string{"*** Add File:", "*** Update File:", "*** Delete File:", "*** Move to:"} {
			if p, ok := strings.CutPrefix(line, h); ok {
				out = append(out, strings.TrimSpace(p))
			}
		}
	}
	return out
}
