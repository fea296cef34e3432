package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
)

// escape is a published way out of containers and the version that closed it.
type escape struct {
	component string // as the engine names it: runc, Engine, containerd
	fixed     []string
	id, what  string
	date      string // when published
	refuse    bool   // without waiting for a distribution's own fix to be told apart
}

// escapes is kept by hand; docs name the date it was last looked through.
func escapes() []escape {
	return []escape{
		{"runc", []string{"1.0.0-rc7"}, "CVE-2019-5736", "overwriting the runtime from inside", "2019-02-11", true},
		{"runc", []string{"1.1.12"}, "CVE-2024-21626", "a leaked descriptor leads to the host; chitin starts every container in / and mounts no /proc/self path", "2024-01-31", false},
		{"runc", []string{"1.1.14", "1.2.0-rc3"}, "CVE-2024-45310", "empty files may be made on the host", "2024-09-03", false},
		{"runc", []string{"1.2.8", "1.3.3", "1.4.0-rc3"}, "CVE-2025-31133", "masked paths can be redirected by an image's /dev/null", "2025-11-05", false},
		{"runc", []string{"1.2.8", "1.3.3", "1.4.0-rc3"}, "CVE-2025-52565", "a race on /dev/console mounts", "2025-11-05", false},
		{"runc", []string{"1.2.8", "1.3.3", "1.4.0-rc3"}, "CVE-2025-52881", "writes to /proc can be redirected", "2025-11-05", false},
		{"containerd", []string{"1.6.38", "1.7.27", "2.0.4"}, "CVE-2024-40635", "a large uid in an image becomes root; chitin always sets the user", "2025-03-17", false},
		{"Engine", []string{"19.3.1"}, "CVE-2019-14271", "docker cp loads code of the container; chitin never uses it", "2019-07-29", false},
		{"crun", []string{"1.14.3"}, "CVE-2024-21626", "a leaked descriptor leads to the host", "2024-01-31", false},
	}
}

// judgeVersions names known weaknesses of what the engine runs. A version
// that a distribution packages may hold the fix under an old number, so it
// warns; what nobody can have fixed without changing the number refuses.
func judgeVersions(v client.ServerVersionResult, info system.Info) (warn []string, refuse string) {
	have := map[string]string{"Engine": v.Version}
	for _, c := range v.Components {
		have[c.Name] = c.Version
	}
	for _, e := range escapes() {
		got := have[e.component]
		if got == "" || got == "<unknown>" || !olderThanAll(got, e.fixed) {
			continue
		}
		text := fmt.Sprintf("%s %s is older than the fix of %s (%s): %s", e.component, got, e.id, e.date, e.what)
		if e.refuse && !distributionBuild(got) {
			return warn, text
		}
		if distributionBuild(got) {
			text += "; a distribution's build, which may hold the fix"
		}
		warn = append(warn, text)
	}
	secopts := strings.Join(info.SecurityOptions, " ")
	if !strings.Contains(secopts, "seccomp") {
		refuse = "the engine has no seccomp: system calls cannot be filtered"
	}
	if k := kernelVersion(info.KernelVersion); k[0] > 0 && (k[0] < 4 || k[0] == 4 && k[1] < 15) {
		warn = append(warn, "kernel "+info.KernelVersion+" is old; many published escapes apply to it")
	}
	if !info.MemoryLimit || !info.PidsLimit || !info.CPUCfsQuota {
		warn = append(warn, "the engine cannot enforce every limit (memory, pids, cpu)")
	}
	return warn, refuse
}

// distributionBuild recognises numbers that a distribution has changed.
func distributionBuild(v string) bool {
	return strings.ContainsAny(v, "+~") || strings.Contains(v, "dfsg") || strings.Contains(v, "ubuntu") || strings.Contains(v, ".el") || strings.Contains(v, ".fc")
}

// olderThanAll reports whether v lies before the fix of its own release line,
// or before every fix when its line has none.
func olderThanAll(v string, fixed []string) bool {
	a := parseVersion(v)
	older := true
	for _, f := range fixed {
		b := parseVersion(f)
		if a[0] == b[0] && a[1] == b[1] {
			return less(a, b)
		}
		if !less(a, b) {
			older = false
		}
	}
	return older
}

func less(a, b [4]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// parseVersion reads major.minor.patch and the number of a release candidate,
// a final release counting above all of them.
func parseVersion(v string) [4]int {
	out := [4]int{3: 1 << 30}
	v = strings.TrimPrefix(v, "v")
	core, rest, _ := strings.Cut(v, "-")
	if i := strings.IndexAny(core, "+~"); i >= 0 {
		core = core[:i]
	}
	for i, p := range strings.SplitN(core, ".", 3) {
		n, err := strconv.Atoi(p)
		if err != nil {
			n = 0
		}
		out[i] = n
	}
	if n, ok := strings.CutPrefix(rest, "rc"); ok {
		if c, err := strconv.Atoi(strings.TrimLeft(n, ".")); err == nil {
			out[3] = c
		}
	}
	return out
}

func kernelVersion(v string) [4]int { return parseVersion(v) }

// bootID changes with the engine, its versions and the host's boot: proofs
// that were given before do not count after.
func bootID(engine string, v client.ServerVersionResult) string {
	h := sha256.New()
	h.Write([]byte(engine + "\x00" + v.Version))
	for _, c := range v.Components {
		h.Write([]byte("\x00" + c.Name + "=" + c.Version))
	}
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
