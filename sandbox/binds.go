package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// BindRules say which binds may pass.
type BindRules struct {
	Roots         []string // workspaces that sources may lie in
	AllowReserved bool
	AllowExternal bool
	// Homes replaces the machine's home directories; nil means look them up.
	Homes []string
}

// blockedPaths are host directories that no box ever sees, nor any directory
// that holds one of them.
var blockedPaths = []string{"/etc", "/private/etc", "/proc", "/sys", "/dev", "/root", "/boot", "/run", "/var/run",
	"/private/var/run", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/kubelet", "/var/spool/cron",
	"/var/lib/private", "/var/db/sudo", "/usr", "/bin", "/sbin", "/lib", "/lib64"}

// credentialDirs are blocked below every home.
var credentialDirs = []string{".aws", ".azure", ".cargo", ".chitin", ".claude", ".codex", ".config", ".docker", ".gcloud",
	".git-credentials", ".gnupg", ".kube", ".local/share/keyrings", ".mozilla", ".netrc", ".npm", ".npmrc", ".openclaw",
	".password-store", ".pgpass", ".pypirc", ".ssh", ".terraform.d", ".vault-token", ".bash_history", ".zsh_history"}

// engineSockets are the names of sockets that give away the machine.
var engineSockets = []string{"docker.sock", "containerd.sock", "podman.sock", "crio.sock", "cri-dockerd.sock",
	"dockershim.sock", "docker.raw.sock", "buildkitd.sock"}

// ParseBind splits source:target[:ro|rw]. Read-only is the default.
func ParseBind(s string) (Mount, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 || strings.ContainsAny(s, "\x00\n") {
		return Mount{}, errors.New("write it as /host/path:/inside/path:ro")
	}
	m := Mount{Source: parts[0], Target: parts[1], ReadOnly: true}
	if len(parts) == 3 {
		switch parts[2] {
		case "ro":
		case "rw":
			m.ReadOnly = false
		default:
			return Mount{}, fmt.Errorf("option %q is not ro or rw", parts[2])
		}
	}
	return m, nil
}

// CheckBind parses a bind and refuses a dangerous one. The mount it returns
// has the source's real path, which is what the engine is given; the probes
// inside compare what was mounted with it.
func CheckBind(s string, r BindRules) (Mount, error) {
	m, err := ParseBind(s)
	if err != nil {
		return m, err
	}
	if err := CheckTarget(m.Target, r.AllowReserved); err != nil {
		return m, err
	}
	real, err := CheckSource(m.Source, r)
	if err != nil {
		return m, err
	}
	m.Source, m.Target = real, filepath.Clean(m.Target)
	return m, nil
}

// CheckTarget refuses targets inside the box that would cover what keeps it
// closed.
func CheckTarget(target string, allowReserved bool) error {
	if !filepath.IsAbs(target) || strings.ContainsAny(target, ",\x00\n") {
		return errors.New("the inside path must be absolute")
	}
	t := filepath.Clean(target)
	switch {
	case t == "/":
		return errors.New("the root of the sandbox cannot be covered")
	case within(t, ControlDir) || within(t, "/proc") || within(t, "/sys"):
		return fmt.Errorf("%s is never given away", t)
	case within(t, "/dev") && t != "/dev/shm":
		return fmt.Errorf("%s is never given away", t)
	case (within(t, Workdir) || within(t, "/agent")) && !allowReserved:
		return fmt.Errorf("%s is reserved; dangerouslyAllowReservedContainerTargets would permit it", t)
	}
	return nil
}

// CheckSource refuses a host path that is, holds, or lies in a blocked one,
// as written and after following every link that exists, and returns its real
// path.
func CheckSource(source string, r BindRules) (string, error) {
	if !filepath.IsAbs(source) {
		return "", errors.New("the host path must be absolute")
	}
	clean := filepath.Clean(source)
	real, err := realPath(clean)
	if err != nil {
		return "", err
	}
	for _, p := range []string{clean, real} {
		if err := blocked(p, r.homes()); err != nil {
			return "", err
		}
	}
	fi, err := os.Lstat(real)
	if err != nil {
		return "", fmt.Errorf("the host path does not exist: make %s first", source)
	}
	if fi.Mode()&(os.ModeSocket|os.ModeDevice|os.ModeNamedPipe) != 0 {
		return "", errors.New("sockets, devices and pipes are never mounted")
	}
	if !r.AllowExternal && !inAny(real, r.Roots) {
		return "", errors.New("it lies outside the workspaces; dangerouslyAllowExternalBindSources would permit it")
	}
	return real, nil
}

func blocked(p string, homes []string) error {
	for _, s := range engineSockets {
		if filepath.Base(p) == s {
			return fmt.Errorf("%s is a container engine's socket", p)
		}
	}
	for _, b := range blockedPaths {
		if within(p, b) || within(b, p) {
			return fmt.Errorf("%s is or holds %s", p, b)
		}
	}
	for _, h := range homes {
		if p == h {
			return fmt.Errorf("%s is a home directory", p)
		}
		for _, c := range credentialDirs {
			if cd := filepath.Join(h, c); within(p, cd) || within(cd, p) {
				return fmt.Errorf("%s is or holds %s", p, cd)
			}
		}
	}
	return nil
}

// realPath follows links in the deepest part of p that exists and appends the
// rest, so that a missing leaf cannot hide where its parent leads.
func realPath(p string) (string, error) {
	rest := ""
	for cur := p; ; cur = filepath.Dir(cur) {
		real, err := filepath.EvalSymlinks(cur)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("cannot resolve %s: %w", p, err)
		}
		if fi, lerr := os.Lstat(cur); lerr == nil && fi.Mode()&os.ModeSymlink != 0 {
			return "", fmt.Errorf("%s is a link to nowhere", cur)
		}
		if cur == "/" {
			return "", fmt.Errorf("cannot resolve %s", p)
		}
		rest = filepath.Join(filepath.Base(cur), rest)
	}
}

// within reports whether p is dir or lies below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

func inAny(p string, roots []string) bool {
	for _, r := range roots {
		if real, err := filepath.EvalSymlinks(r); err == nil && within(p, real) {
			return true
		}
	}
	return false
}

func (r BindRules) homes() []string {
	if r.Homes != nil {
		return r.Homes
	}
	return machineHomes()
}

var machineHomes = sync.OnceValue(func() []string {
	seen := map[string]bool{}
	add := func(h string) {
		if h = filepath.Clean(h); filepath.IsAbs(h) && strings.Count(h, "/") >= 1 && h != "/" {
			seen[h] = true
		}
	}
	add(os.Getenv("HOME"))
	if f, err := os.Open("/etc/passwd"); err == nil {
		sc := bufio.NewScanner(io.LimitReader(f, 1<<20))
		for sc.Scan() {
			if p := strings.Split(sc.Text(), ":"); len(p) >= 6 && isHome(p[5]) {
				add(p[5])
			}
		}
		_ = f.Close()
	}
	for _, g := range []string{"/home/*", "/Users/*"} {
		dirs, err := filepath.Glob(g)
		if err != nil {
			continue
		}
		for _, d := range dirs {
			add(d)
		}
	}
	out := make([]string, 0, len(seen))
	for h := range seen {
		out = append(out, h)
	}
	return out
})

// isHome leaves out the system accounts' directories, which hold no person's
// credentials and would block half the tree.
func isHome(p string) bool {
	for _, pre := range []string{"/home/", "/root", "/Users/", "/var/home/", "/export/home/"} {
		if strings.HasPrefix(p, pre) {
			return true
		}
	}
	return false
}

func ownerOf(path string) (uid, gid uint32, err error) {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0, 0, err
	}
	return st.Uid, st.Gid, nil
}

// readSmall reads a regular file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() || fi.Size() > limit {
		return nil, fmt.Errorf("%s must be a regular file of at most %d bytes", path, limit)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
