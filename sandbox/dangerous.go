package sandbox

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/internal/problem"
)

// DangerousKeys lists the dangerouslyAllow… keys that are on. Each is a
// critical finding and a warning at start.
func (c Config) DangerousKeys() []string {
	var on []string
	for k, v := range map[string]bool{
		"docker.dangerouslyAllowReservedContainerTargets": c.Docker.DangerouslyAllowReservedContainerTargets,
		"docker.dangerouslyAllowExternalBindSources":      c.Docker.DangerouslyAllowExternalBindSources,
		"docker.dangerouslyAllowContainerNamespaceJoin":   c.Docker.DangerouslyAllowContainerNamespaceJoin,
	} {
		if v {
			on = append(on, k)
		}
	}
	slices.Sort(on)
	return on
}

// Validate lists what is wrong or dangerous, by path below the sandbox key.
func (c Config) Validate() []problem.Problem {
	var ps []problem.Problem
	bad := func(path, hint, format string, a ...any) {
		ps = append(ps, problem.Problem{Path: path, Message: fmt.Sprintf(format, a...), Hint: hint})
	}
	oneOf := func(path, v string, ok ...string) {
		if v != "" && !slices.Contains(ok, v) {
			bad(path, "write one of "+strings.Join(ok, ", "), "%q is not known", v)
		}
	}
	oneOf("mode", c.Mode, "off", "non-main", "all")
	oneOf("scope", c.Scope, "session", "agent", "shared")
	oneOf("workspaceAccess", c.WorkspaceAccess, "none", "ro", "rw")
	oneOf("backend", c.Backend, "auto", "docker", "podman", "gvisor", "namespace")
	oneOf("minTier", c.MinTier, "namespace", "container", "gvisor")
	for k, p := range map[string]*int{"prune.idleHours": c.Prune.IdleHours, "prune.maxAgeDays": c.Prune.MaxAgeDays, "pool.ready": c.Pool.Ready, "pool.max": c.Pool.Max} {
		if p != nil && (*p < 0 || *p > 10000) {
			bad(k, "write a number from 0 to 10000", "%d is out of range", *p)
		}
	}
	c.Docker.validate(bad)
	for _, k := range c.DangerousKeys() {
		ps = append(ps, problem.Problem{Path: k, Warning: true, Message: "a dangerous option is on", Hint: "remove it unless you know why it is there"})
	}
	return ps
}

type reporter func(path, hint, format string, a ...any)

func (d DockerConfig) validate(bad reporter) {
	d.validateIsolation(bad)
	d.validateLimits(bad)
	for i, b := range d.Binds {
		m, err := ParseBind(b)
		if err == nil {
			err = CheckTarget(m.Target, d.DangerouslyAllowReservedContainerTargets)
		}
		if err == nil && !filepath.IsAbs(m.Source) {
			err = fmt.Errorf("the host path must be absolute")
		}
		if err == nil {
			err = blocked(filepath.Clean(m.Source), machineHomes())
		}
		if err != nil {
			bad(fmt.Sprintf("docker.binds[%d]", i), "bind a directory of a workspace", "%s: %v", b, err)
		}
	}
	for i, t := range d.Tmpfs {
		if _, err := ParseTmpfs(t); err != nil {
			bad(fmt.Sprintf("docker.tmpfs[%d]", i), "write /path or /path:size=64m,nr_inodes=4096", "%v", err)
		}
	}
	for k, v := range d.Env {
		if !validEnvName(k) || strings.ContainsAny(v, "\x00") {
			bad("docker.env."+k, "use letters, digits and _ in the name", "not a usable environment variable")
		}
		if loaderEnv(k) {
			bad("docker.env."+k, "remove it", "it changes which code runs")
		}
	}
}

func (d DockerConfig) validateIsolation(bad reporter) {
	if err := CheckNetwork(d.Network, d.DangerouslyAllowContainerNamespaceJoin); err != nil {
		bad("docker.network", "write none or egress", "%v", err)
	}
	if err := CheckUser(d.User); err != nil {
		bad("docker.user", "write numbers such as 64000:64000, or remove it", "%v", err)
	}
	if err := CheckProfileName(d.SeccompProfile); err != nil {
		bad("docker.seccompProfile", "remove it to use the built-in filter", "%v", err)
	} else if d.SeccompProfile != "" && !filepath.IsAbs(d.SeccompProfile) {
		bad("docker.seccompProfile", "write an absolute path", "%q is not absolute", d.SeccompProfile)
	}
	if err := CheckProfileName(d.ApparmorProfile); err != nil {
		bad("docker.apparmorProfile", "remove it to use the engine's", "%v", err)
	}
	if !safeName(d.Runtime, "-_.") {
		bad("docker.runtime", "write the name of a runtime that the engine knows, such as runsc", "%q is not a name", d.Runtime)
	}
	if strings.HasPrefix(d.Image, "-") || strings.ContainsAny(d.Image, " \t\n\x00") || len(d.Image) > 512 {
		bad("docker.image", "write name@sha256:…", "%q is not an image", d.Image)
	}
}

func (d DockerConfig) validateLimits(bad reporter) {
	if d.Memory != "" {
		if n, err := ParseSize(d.Memory); err != nil || n < 32<<20 {
			bad("docker.memory", "write at least 32m", "%q is not a usable limit", d.Memory)
		}
	}
	if d.DiskLimit != "" {
		if _, err := ParseSize(d.DiskLimit); err != nil {
			bad("docker.diskLimit", "write a size such as 1g", "%v", err)
		}
	}
	if d.PidsLimit < 0 || d.PidsLimit > 32768 || (d.PidsLimit > 0 && d.PidsLimit < 16) {
		bad("docker.pidsLimit", "write a number from 16 to 32768", "%d is out of range", d.PidsLimit)
	}
	if d.CPUs != 0 && !(d.CPUs >= 0.05 && d.CPUs <= 1024) {
		bad("docker.cpus", "write a number such as 1.5", "%v is out of range", d.CPUs)
	}
	for k, v := range d.Ulimits {
		if _, err := parseUlimit(k, v); err != nil {
			bad("docker.ulimits."+k, "write soft:hard", "%v", err)
		}
	}
}

// CheckNetwork refuses to share the host's or another container's network.
func CheckNetwork(n string, allowJoin bool) error {
	switch l := strings.ToLower(strings.TrimSpace(n)); {
	case l == "host":
		return fmt.Errorf("network host removes the isolation and is always refused")
	case strings.HasPrefix(l, "container:"):
		if !allowJoin || !safeName(n[len("container:"):], "-_.") || len(n) == len("container:") {
			return fmt.Errorf("joining another container's network is refused; dangerouslyAllowContainerNamespaceJoin would permit it")
		}
		return nil
	case strings.HasPrefix(l, "ns:") || !safeName(n, "-_."):
		return fmt.Errorf("%q is not a network", n)
	}
	return nil
}

// CheckUser wants numbers and refuses root.
func CheckUser(u string) error {
	if u == "" {
		return nil
	}
	uid, gid, both := strings.Cut(u, ":")
	for _, p := range []string{uid, gid} {
		if p == gid && !both {
			return fmt.Errorf("%q is not uid:gid", u)
		}
		if n, err := strconv.ParseUint(p, 10, 31); err != nil || n == 0 {
			return fmt.Errorf("%q is not uid:gid with numbers above 0", u)
		}
	}
	return nil
}

// CheckProfileName refuses every spelling of unconfined.
func CheckProfileName(p string) error {
	l := strings.ToLower(strings.TrimSpace(p))
	if strings.Contains(l, "unconfined") || l == "none" || l == "disable" || l == "disabled" {
		return fmt.Errorf("%q turns the confinement off and is always refused", p)
	}
	if strings.ContainsAny(p, "\x00\n,=") {
		return fmt.Errorf("%q is not a profile", p)
	}
	return nil
}

func safeName(s, extra string) bool {
	if len(s) > 128 || strings.HasPrefix(s, "-") {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(extra, r) {
			return false
		}
	}
	return true
}

func validEnvName(k string) bool {
	return k != "" && safeName(k, "_") && (k[0] < '0' || k[0] > '9')
}

// loaderEnv names variables that make a program load code; case is folded so
// that no spelling slips past.
func loaderEnv(k string) bool {
	u := strings.ToUpper(k)
	return strings.HasPrefix(u, "LD_") || strings.HasPrefix(u, "DYLD_") || strings.HasPrefix(u, "CHITIN_") ||
		slices.Contains([]string{"BASH_ENV", "ENV", "PROMPT_COMMAND", "IFS", "NODE_OPTIONS", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "GCONV_PATH", "GLIBC_TUNABLES", "HOSTALIASES", "LOCPATH"}, u)
}
