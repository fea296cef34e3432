package docker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/supervisor"
)

// allowedConfig and allowedHost are every option that a container may carry.
// The check runs on the encoded request, apart from the code that builds it:
// an option that is not listed refuses the container, whoever added it.
var (
	allowedConfig = []string{"Hostname", "User", "Env", "Image", "WorkingDir", "Entrypoint", "Labels", "StopSignal", "Healthcheck",
		"OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "NetworkDisabled"}
	allowedHost = []string{"AutoRemove", "LogConfig", "NetworkMode", "RestartPolicy", "CapDrop", "SecurityOpt", "ReadonlyRootfs",
		"IpcMode", "CgroupnsMode", "OomScoreAdj", "Init", "Runtime", "Tmpfs", "Mounts", "MaskedPaths", "ReadonlyPaths",
		"Memory", "MemorySwap", "NanoCpus", "PidsLimit", "Ulimits", "UsernsMode"}
)

// verify is the second pair of eyes on a request.
func verify(o client.ContainerCreateOptions, p plan) error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: the container request is not as it must be: %s", sandbox.ErrRefused, fmt.Sprintf(format, a...))
	}
	if err := onlyKeys(o.Config, allowedConfig); err != nil {
		return bad("%v", err)
	}
	if err := onlyKeys(o.HostConfig, allowedHost); err != nil {
		return bad("%v", err)
	}
	c, h := o.Config, o.HostConfig
	switch {
	case sandbox.CheckUser(c.User) != nil || c.User == "":
		return bad("user %q", c.User)
	case c.WorkingDir != "/":
		return bad("working directory %q", c.WorkingDir)
	case len(c.Entrypoint) != 2 || c.Entrypoint[0] != supervisor.Path:
		return bad("entry point %q", c.Entrypoint)
	case !slices.Equal(h.CapDrop, []string{"ALL"}):
		return bad("capabilities are not all dropped")
	case !h.ReadonlyRootfs:
		return bad("the root is writable")
	case !slices.Contains(h.SecurityOpt, "no-new-privileges"):
		return bad("new privileges are possible")
	case h.LogConfig.Type != "none":
		return bad("output would be logged")
	case h.Memory < 32<<20 || h.MemorySwap != h.Memory || h.NanoCPUs <= 0 || h.PidsLimit == nil || *h.PidsLimit <= 0 || *h.PidsLimit > 32768:
		return bad("limits are missing")
	case h.UsernsMode != "" && (h.UsernsMode != keepID || !p.keepID):
		return bad("user namespace %q", h.UsernsMode)
	case h.IpcMode != "private" || h.CgroupnsMode != "private":
		return bad("namespaces are shared")
	}
	if !slices.Equal(h.MaskedPaths, maskedPaths()) || len(h.ReadonlyPaths) < 5 {
		return bad("kernel files are not masked")
	}
	for _, u := range h.Ulimits {
		if want, ok := p.limits.Ulimits[u.Name]; !ok || want != [2]int64{u.Soft, u.Hard} {
			return bad("limit %s is not what the spec says", u.Name)
		}
	}
	if err := verifySecurity(h.SecurityOpt, p); err != nil {
		return bad("%v", err)
	}
	if err := verifyNetwork(string(h.NetworkMode), p.r.Spec); err != nil {
		return bad("%v", err)
	}
	return verifyMounts(o, p, bad)
}

// onlyKeys refuses a struct with a set field that is not listed.
func onlyKeys(v any, allowed []string) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	for k, raw := range m {
		if slices.Contains(allowed, k) || slices.Contains([]string{"null", `""`, "0", "false", "[]", "{}", "[0,0]"}, string(raw)) {
			continue
		}
		return fmt.Errorf("option %s is not permitted", k)
	}
	return nil
}

func verifySecurity(opts []string, p plan) error {
	own, err := filterJSON()
	if err != nil {
		return err
	}
	filters := 0
	for _, o := range opts {
		k, v, _ := strings.Cut(o, "=")
		switch k {
		case "no-new-privileges":
		case "seccomp":
			filters++
			if p.filter != cmp.Or(p.r.Spec.Seccomp, own) || v != cmp.Or(p.filterFile, p.filter) {
				return fmt.Errorf("the system-call filter is not the spec's")
			}
			var f struct{ DefaultAction string }
			if err := json.Unmarshal([]byte(p.filter), &f); err != nil || f.DefaultAction == "" || f.DefaultAction == "SCMP_ACT_ALLOW" || f.DefaultAction == "SCMP_ACT_LOG" {
				return fmt.Errorf("the system-call filter permits by default")
			}
		case "apparmor":
			if err := sandbox.CheckProfileName(v); err != nil || v == "" {
				return fmt.Errorf("AppArmor profile %q", v)
			}
		default:
			return fmt.Errorf("security option %q", k)
		}
	}
	if filters != 1 {
		return fmt.Errorf("there must be one system-call filter")
	}
	return nil
}

func verifyNetwork(mode string, s sandbox.Spec) error {
	if s.Network == "none" || s.Network == "egress" {
		if mode != "none" {
			return fmt.Errorf("network %q", mode)
		}
		return nil
	}
	return sandbox.CheckNetwork(mode, strings.HasPrefix(s.Network, "container:"))
}

func verifyMounts(o client.ContainerCreateOptions, p plan, bad func(string, ...any) error) error {
	want := map[string]string{supervisor.Path: p.sup}
	if !p.attach {
		want[ctlDir] = p.ctl
	}
	if p.r.Spec.Workspace != "" {
		want[sandbox.Workdir] = p.r.Spec.Workspace
	}
	for _, m := range p.r.Spec.Mounts {
		want[m.Target] = m.Source
	}
	for _, m := range o.HostConfig.Mounts {
		if m.Type != "bind" || want[m.Target] == "" || want[m.Target] != m.Source {
			return bad("mount %s at %s", m.Source, m.Target)
		}
		if m.BindOptions == nil || m.BindOptions.Propagation != "rprivate" {
			return bad("mount %s propagates", m.Target)
		}
		if strings.HasPrefix(m.Target, sandbox.ControlDir) && !m.ReadOnly || m.Target == sandbox.Workdir && p.r.Spec.ReadOnly() && !m.ReadOnly {
			return bad("mount %s is writable", m.Target)
		}
	}
	for path, opts := range o.HostConfig.Tmpfs {
		if sandbox.CheckTarget(path, true) != nil || !strings.Contains(opts, "size=") || p.filterFile == "" && !strings.Contains(opts, "nr_inodes=") ||
			!strings.Contains(opts, "nosuid") || !strings.Contains(opts, "nodev") {
			return bad("scratch %s", path)
		}
	}
	return nil
}
