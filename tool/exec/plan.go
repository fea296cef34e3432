package exec

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/procs"
)

// parse reads and checks the arguments.
func parse(raw json.RawMessage) (Args, error) {
	args, err := tool.Decode[Args](raw)
	if err != nil {
		return args, err
	}
	switch {
	case strings.TrimSpace(args.Command) == "":
		return args, tool.Input("Provide a command to start.")
	case len(args.Command) > maxCommand || strings.IndexByte(args.Command, 0) >= 0:
		return args, tool.Input("The command is too long or contains a zero byte.")
	case len([]rune(args.Title)) > 120:
		return args, tool.Input("Invalid parameter: title must be at most 120 characters long.")
	}
	switch args.Host {
	case "", "auto", "sandbox", "gateway", "node":
	default:
		return args, tool.Input(fmt.Sprintf("Invalid exec host %q. Allowed values: auto, sandbox, gateway, node.", args.Host))
	}
	return args, checkEnv(args.Env)
}

// box is where the command runs: the call's place decides, never its
// arguments; they can only ask for what the place already is.
func (t *Tool) box(c *tool.Call, args Args) (sandbox.Box, error) {
	if !c.Place.Valid() {
		return nil, tool.Forbidden("This call was not given a place to run.")
	}
	if !c.Place.Host() {
		return t.sandboxed(c, args)
	}
	if args.Host == "sandbox" {
		return nil, tool.Input("exec host=sandbox requires a sandbox runtime for this session.\n" +
			"Enable sandbox mode (`agents.defaults.sandbox.mode=\"non-main\"` or `\"all\"`) or use host=auto/gateway/node.")
	}
	if args.Host == "node" {
		return nil, tool.Input("exec host=node requires a node, and this gateway has none. Use host=auto.")
	}
	if err := checkHostEnv(args.Env); err != nil {
		return nil, err
	}
	if t.opts.Host == nil {
		return nil, tool.Unavailable("Elevated exec is not available on this gateway.", sandbox.ErrUnavailable)
	}
	return t.opts.Host(c)
}

func (t *Tool) sandboxed(c *tool.Call, args Args) (sandbox.Box, error) {
	if args.Elevated {
		return nil, tool.Forbidden(elevatedText(c))
	}
	if args.Host == "gateway" || args.Host == "node" {
		return nil, tool.Forbidden(fmt.Sprintf("exec host=%s is not allowed from a sandboxed session. Use host=auto or host=sandbox.", args.Host))
	}
	return c.Box()
}

func elevatedText(c *tool.Call) string {
	return "elevated is not available right now (runtime=sandboxed).\n" +
		"Failing gates: enabled (tools.elevated.enabled / agents.entries.*.tools.elevated.enabled)\n" +
		"Context: provider=" + string(c.Grant.Surface()) + " session=" + c.Session.Key + "\n" +
		"Fix-it keys:\n" +
		"- tools.elevated.enabled\n" +
		"- tools.elevated.allowFrom.<provider>\n" +
		"- agents.entries.*.tools.elevated.enabled\n" +
		"- agents.entries.*.tools.elevated.allowFrom.<provider>"
}

// plan turns the arguments into a command of the box.
func (t *Tool) plan(c *tool.Call, args Args, box sandbox.Box) (*run, error) {
	r := &run{tool: t, call: c, args: args, box: box, out: procs.NewOutput(t.opts.Keep, c.Emit)}
	r.key = KeyOf(c)
	dir, err := workdir(args.Workdir, tool.Workdir(box))
	if err != nil {
		return nil, err
	}
	r.cmd = sandbox.Cmd{
		Argv:    []string{"/bin/sh", "-c", args.Command},
		Env:     t.environ(c, args),
		Dir:     dir,
		Stdin:   sandbox.NoStdin,
		Stdout:  r.out,
		Stderr:  r.out,
		Timeout: t.timeout(args),
	}
	if args.PTY {
		r.cmd.PTY = &sandbox.Winsize{Cols: 120, Rows: 30}
		r.cmd.Stdin, r.cmd.Stderr = nil, nil
	}
	r.unshell()
	return r, nil
}

// KeyOf is whose background processes a call may see.
func KeyOf(c *tool.Call) procs.Key {
	return procs.Key{Tenant: c.Session.Tenant, Session: c.Session.Key}
}

func (t *Tool) timeout(args Args) time.Duration {
	if args.Timeout == nil || *args.Timeout <= 0 {
		return t.opts.Timeout
	}
	return clampDuration(*args.Timeout, time.Second, 10*time.Millisecond, maxTimeout)
}

// cwd is the command's directory as the result shows it.
func (r *run) cwd() string {
	if r.cmd.Dir != "" {
		return r.cmd.Dir
	}
	return tool.Workdir(r.box)
}

// workdir resolves a call's workdir; empty is the workspace itself. Paths
// below /proc could be another process's open directory.
func workdir(want, base string) (string, error) {
	if want == "" || want == "." {
		return "", nil
	}
	if strings.ContainsFunc(want, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(want) > 4096 {
		return "", tool.Input("Invalid parameter: workdir contains control characters or is too long.")
	}
	dir := path.Clean(want)
	if !path.IsAbs(want) {
		dir = path.Join(base, want)
	}
	if dir == "/proc" || strings.HasPrefix(dir, "/proc/") {
		return "", tool.Input("Invalid parameter: workdir must not lie below /proc.")
	}
	return dir, nil
}

// environ is the complete environment of a command.
func (t *Tool) environ(c *tool.Call, args Args) []string {
	env := make([]string, 0, 8+len(args.Env))
	env = append(env, "PATH="+t.opts.Path, "LANG=C.UTF-8", "CHITIN_SHELL=exec", "OPENCLAW_SHELL=exec")
	if args.PTY {
		env = append(env, "TERM=xterm-256color")
	}
	if t.opts.Env != nil {
		env = append(env, t.opts.Env(c)...)
	}
	for _, name := range slices.Sorted(maps.Keys(args.Env)) {
		env = append(env, name+"="+args.Env[name])
	}
	return env
}

const (
	maxEnv      = 256
	maxEnvBytes = 128 << 10
)

// checkEnv refuses variables that change which program runs. Names are
// compared without case, as some programs read them so.
func checkEnv(env map[string]string) error {
	if len(env) > maxEnv {
		return tool.Input("Invalid parameter: env has too many variables.")
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(env)) {
		size += len(name) + len(env[name])
		upper := strings.ToUpper(name)
		switch {
		case upper == "PATH":
			return tool.Forbidden("Security Violation: Custom 'PATH' variable is forbidden during host execution.")
		case strings.HasPrefix(upper, "LD_"), strings.HasPrefix(upper, "DYLD_"),
			upper == "CHITIN_SHELL", upper == "OPENCLAW_SHELL":
			return tool.Forbidden("Security Violation: Environment variable '" + name + "' is forbidden during host execution.")
		case !envName(name):
			return tool.Input(fmt.Sprintf("Invalid parameter: env has the name %q; use letters, digits and underscores.", name))
		case strings.IndexByte(env[name], 0) >= 0:
			return tool.Input("Invalid parameter: env " + name + " contains a zero byte.")
		}
	}
	if size > maxEnvBytes {
		return tool.Input("Invalid parameter: env is too large.")
	}
	return nil
}

func envName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// checkHostEnv is an allow list: on the host, interpreters, build tools and
// version control run code that a variable names, and no deny list is ever
// complete.
func checkHostEnv(env map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch name {
		case "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI":
			continue
		}
		if strings.HasPrefix(name, "LC_") {
			continue
		}
		return tool.Forbidden("Security Violation: Environment variable '" + name + "' is forbidden during host execution.")
	}
	return nil
}
