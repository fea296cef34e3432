package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
)

// Where things are inside every box.
const (
	Workdir    = "/workspace"
	ControlDir = "/.chitin" // the supervisor and its socket
	DefaultUID = 64000      // nobody on a usual host
	// EgressProxy is where a box with network egress finds its way out.
	EgressProxy = "http://127.0.0.1:3128"
	DefaultEnv  = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Mount is a host directory inside the box.
type Mount struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"ro,omitempty"`
}

// Tmpfs is scratch in memory.
type Tmpfs struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	Inodes int64  `json:"inodes"`
	NoExec bool   `json:"noexec,omitempty"`
}

// Limits bound what a box may take.
type Limits struct {
	Memory   int64               `json:"memory"` // bytes, swap included
	Pids     int64               `json:"pids"`
	NanoCPUs int64               `json:"nanoCpus"`
	Disk     int64               `json:"disk"` // bytes in the box's own workspace
	Ulimits  map[string][2]int64 `json:"ulimits"`
}

// Spec is everything that makes one box, backend-neutral and complete: what
// it does not say, a box does not have.
type Spec struct {
	Backend   string   `json:"backend"`
	Image     string   `json:"image"` // "" means the backend's default
	User      string   `json:"user"`  // uid:gid inside
	Access    string   `json:"access"`
	Workspace string   `json:"workspace"` // host path mounted at Workdir
	Mounts    []Mount  `json:"mounts,omitempty"`
	Tmpfs     []Tmpfs  `json:"tmpfs,omitempty"`
	Env       []string `json:"env"`
	Network   string   `json:"network"`
	// Egress lists the hosts that network egress reaches; nil is every public
	// one, empty none.
	Egress   []string `json:"egress"`
	Limits   Limits   `json:"limits"`
	Seccomp  string   `json:"seccomp,omitempty"` // JSON replacing the built-in filter
	AppArmor string   `json:"apparmor,omitempty"`
	Runtime  string   `json:"runtime,omitempty"`
	// Durable says that file tools sync what they write.
	Durable bool `json:"durable,omitempty"`
}

// Hash names the spec: any byte of it that changes makes another.
func (s Spec) Hash() string { return hashOf(s) }

// Profile names what the spec's boxes have in common whatever workspace they
// hold; proofs and the warm pool are kept by it.
func (s Spec) Profile() string {
	s.Workspace = ""
	return hashOf(s)
}

func hashOf(s Spec) string {
	b, err := json.Marshal(s) // struct order and sorted map keys: canonical
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// ReadOnly reports whether the workspace refuses writes.
func (s Spec) ReadOnly() bool { return s.Access == "ro" }

// BuildSpec turns a resolved configuration into a spec for a workspace. roots
// are the directories that binds may come from. It refuses what Validate
// refuses, again, because a configuration may have reached here another way.
func BuildSpec(c Config, backend, workspace string, roots []string) (Spec, error) {
	c = c.Resolve()
	for _, p := range c.Validate() {
		if !p.Warning {
			return Spec{}, fmt.Errorf("%w: sandbox.%s: %s", ErrRefused, p.Path, p.Message)
		}
	}
	d := c.Docker
	s := Spec{Backend: backend, Image: d.Image, Access: c.WorkspaceAccess, Workspace: workspace,
		Network: d.Network, AppArmor: d.ApparmorProfile, Runtime: d.Runtime, Env: buildEnv(d.Env),
		Durable: c.DurableWrites != nil && *c.DurableWrites}
	if s.Network == "egress" {
		s.Egress = d.Egress
		s.Env = append(s.Env, "HTTP_PROXY="+EgressProxy, "HTTPS_PROXY="+EgressProxy, "http_proxy="+EgressProxy, "https_proxy="+EgressProxy,
			"NO_PROXY=localhost,127.0.0.1", "no_proxy=localhost,127.0.0.1")
	}
	var err error
	if s.User, err = boxUser(d.User, workspace, c.WorkspaceAccess); err != nil {
		return Spec{}, err
	}
	if s.Limits, err = buildLimits(d); err != nil {
		return Spec{}, err
	}
	for _, t := range d.Tmpfs {
		tm, err := ParseTmpfs(t)
		if err != nil {
			return Spec{}, err
		}
		s.Tmpfs = append(s.Tmpfs, tm)
	}
	for _, b := range d.Binds {
		m, err := CheckBind(b, BindRules{Roots: roots,
			AllowReserved: d.DangerouslyAllowReservedContainerTargets, AllowExternal: d.DangerouslyAllowExternalBindSources})
		if err != nil {
			return Spec{}, fmt.Errorf("%w: bind %s: %w", ErrRefused, b, err)
		}
		s.Mounts = append(s.Mounts, m)
	}
	if d.SeccompProfile != "" {
		b, err := readSmall(d.SeccompProfile, 1<<20)
		if err != nil {
			return Spec{}, fmt.Errorf("%w: seccompProfile: %w", ErrRefused, err)
		}
		s.Seccomp = string(b)
	}
	return s, nil
}

func buildEnv(extra map[string]string) []string {
	env := []string{DefaultEnv, "HOME=" + Workdir, "LANG=C.UTF-8", "TERM=xterm", "TMPDIR=/tmp"}
	keys := make([]string, 0, len(extra))
	for k := range extra {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		env = setEnv(env, k, extra[k])
	}
	return env
}

func setEnv(env []string, k, v string) []string {
	for i, e := range env {
		if strings.HasPrefix(e, k+"=") {
			env[i] = k + "=" + v
			return env
		}
	}
	return append(env, k+"="+v)
}

// boxUser is the identity inside. Root on the host runs boxes as a number
// that is nobody there, or as the owner of a workspace that is somebody's;
// anybody else can only be themselves.
func boxUser(configured, workspace, access string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	if uid := os.Getuid(); uid != 0 {
		return fmt.Sprintf("%d:%d", uid, os.Getgid()), nil
	}
	if access == "rw" && workspace != "" {
		if uid, gid, err := ownerOf(workspace); err == nil && uid != 0 {
			return fmt.Sprintf("%d:%d", uid, gid), nil
		}
	}
	return fmt.Sprintf("%d:%d", DefaultUID, DefaultUID), nil
}

func buildLimits(d DockerConfig) (Limits, error) {
	mem, err := ParseSize(d.Memory)
	if err != nil {
		return Limits{}, fmt.Errorf("%w: memory: %w", ErrRefused, err)
	}
	disk, err := ParseSize(d.DiskLimit)
	if err != nil {
		return Limits{}, fmt.Errorf("%w: diskLimit: %w", ErrRefused, err)
	}
	cpus := math.Min(d.CPUs, float64(runtime.NumCPU()))
	l := Limits{Memory: mem, Pids: d.PidsLimit, NanoCPUs: int64(cpus * 1e9), Disk: disk,
		Ulimits: map[string][2]int64{"nofile": {1024, 4096}, "core": {0, 0}, "fsize": {256 << 20, 256 << 20}, "memlock": {65536, 65536}}}
	for k, v := range d.Ulimits {
		p, err := parseUlimit(k, v)
		if err != nil {
			return Limits{}, fmt.Errorf("%w: ulimits.%s: %w", ErrRefused, k, err)
		}
		l.Ulimits[k] = p
	}
	return l, nil
}

// ParseSize reads a byte count with an optional k, m or g.
func ParseSize(s string) (int64, error) {
	t := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "b")
	mul := int64(1)
	if t != "" {
		switch t[len(t)-1] {
		case 'k':
			mul = 1 << 10
		case 'm':
			mul = 1 << 20
		case 'g':
			mul = 1 << 30
		}
	}
	if mul > 1 {
		t = t[:len(t)-1]
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/mul {
		return 0, fmt.Errorf("%q is not a size such as 512m", s)
	}
	return n * mul, nil
}

func parseUlimit(name, v string) ([2]int64, error) {
	switch name {
	case "nofile", "nproc", "core", "fsize", "memlock", "cpu", "data", "stack", "msgqueue", "sigpending", "as":
	default:
		return [2]int64{}, fmt.Errorf("not a limit that may be set")
	}
	soft, hard, two := strings.Cut(v, ":")
	if !two {
		hard = soft
	}
	a, err1 := strconv.ParseInt(soft, 10, 64)
	b, err2 := strconv.ParseInt(hard, 10, 64)
	if err1 != nil || err2 != nil || a < 0 || b < a {
		return [2]int64{}, fmt.Errorf("%q is not soft:hard with soft at most hard", v)
	}
	return [2]int64{a, b}, nil
}

// ParseTmpfs reads path[:size=N,nr_inodes=N,noexec].
func ParseTmpfs(s string) (Tmpfs, error) {
	path, opts, _ := strings.Cut(s, ":")
	t := Tmpfs{Path: path, Size: 64 << 20, Inodes: 8192, NoExec: path == "/dev/shm" || path == "/run"}
	if path == "/run" {
		t.Size, t.Inodes = 16<<20, 1024
	}
	if err := CheckTarget(path, false); err != nil {
		return t, fmt.Errorf("%w: tmpfs %s: %w", ErrRefused, s, err)
	}
	for o := range strings.SplitSeq(opts, ",") {
		k, v, _ := strings.Cut(o, "=")
		var err error
		switch k {
		case "":
		case "size":
			t.Size, err = ParseSize(v)
		case "nr_inodes":
			t.Inodes, err = ParseSize(v)
		case "noexec":
			t.NoExec = true
		default:
			err = fmt.Errorf("option %q is not one of size, nr_inodes, noexec", k)
		}
		if err != nil {
			return t, fmt.Errorf("%w: tmpfs %s: %w", ErrRefused, s, err)
		}
	}
	return t, nil
}
