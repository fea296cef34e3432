package host

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

type deadEngine struct{}

func (deadEngine) Info(context.Context) (audit.EngineInfo, error) {
	return audit.EngineInfo{}, errors.New("connection refused")
}
func (deadEngine) Containers(context.Context, string) ([]audit.Container, error) { return nil, nil }

// TableDate is the day on which the table of runtime vulnerabilities was last
// brought up to date.
const TableDate = "2026-11-22"

// weakness is a vulnerability of a runtime. fixed holds the first fixed version
// of each release line, oldest first; a line below the oldest is not fixed,
// one above the newest is.
type weakness struct {
	id, what string
	fixed    []string
}

func runcTable() []weakness {
	return []weakness{
		{"CVE-2019-5736", "a container overwrites the runtime on the host", []string{"1.0.0"}},
		{"CVE-2021-30465", "a swapped mount leads out of the container", []string{"1.0.0"}},
		{"CVE-2024-21626", "a leaked descriptor gives the host's file system", []string{"1.1.12"}},
		{"CVE-2025-31133", "masked paths can be replaced and written through", []string{"1.2.8", "1.3.3"}},
		{"CVE-2025-52565", "the console's mount can be redirected", []string{"1.2.8", "1.3.3"}},
		{"CVE-2025-52881", "writes to /proc can be redirected", []string{"1.2.8", "1.3.3"}},
	}
}

func containerdTable() []weakness {
	return []weakness{
		{"CVE-2022-23648", "an image reads files of the host", []string{"1.4.13", "1.5.10", "1.6.1"}},
		{"CVE-2024-25621", "its directories are open to local accounts", []string{"1.7.29", "2.0.7", "2.1.5"}},
	}
}

func dockerTable() []weakness {
	return []weakness{
		{"CVE-2024-41110", "a crafted request passes an authorisation plugin", []string{"23.0.15", "25.0.6", "26.1.5", "27.1.1"}},
		{"CVE-2024-23651", "a build reads files of the host", []string{"24.0.9", "25.0.2"}},
	}
}

// version reads the leading numbers of a version; packaged says that a
// distribution's suffix follows, whose patches the number does not show.
func version(v string) (n [3]int, packaged, ok bool) {
	v = strings.TrimPrefix(v, "v")
	end := strings.IndexFunc(v, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end >= 0 {
		packaged = strings.ContainsAny(v[end:], "+~") || strings.Contains(v[end:], "ubuntu") || strings.Contains(v[end:], "deb")
		v = v[:end]
	}
	parts := strings.Split(v, ".")
	for i := 0; i < 3 && i < len(parts); i++ {
		var err error
		if n[i], err = strconv.Atoi(parts[i]); err != nil {
			return n, packaged, false
		}
	}
	return n, packaged, len(parts) > 1
}

func before(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// affected compares a version with the fixed one of its release line, else
// with the newest line that is not above it.
func affected(have [3]int, fixed []string) bool {
	for i := len(fixed) - 1; i >= 0; i-- {
		want, _, _ := version(fixed[i])
		if have[0] == want[0] && have[1] == want[1] {
			return before(have, want)
		}
	}
	newest, _, _ := version(fixed[len(fixed)-1])
	return before(have, newest)
}

func vulnerable() []audit.Check {
	mk := func(id, name string, table func() []weakness, get func(audit.EngineInfo) string, set func(*audit.EngineInfo)) audit.Check {
		return audit.Check{
			ID: "engine." + id, Layer: layer, On: audit.Own, Severity: "critical; warn for a distribution's package, whose patches the number does not show", Deep: true,
			Title: name + " has known vulnerabilities", Why: "A published way out of a container is tried by every automated attack.",
			Remedy: "Update " + name + ". The table is of " + TableDate + ".", Refs: []string{"CWE-1395"},
			Run: func(s *audit.Subject) []audit.Hit {
				e := engine(s)
				have, packaged, ok := version(get(e.EngineInfo))
				if !e.ok || !ok {
					return nil
				}
				var lines []string
				for _, w := range table() {
					if affected(have, w.fixed) {
						lines = append(lines, w.id+": "+w.what+" (fixed in "+strings.Join(w.fixed, ", ")+")")
					}
				}
				if len(lines) == 0 {
					return nil
				}
				h := audit.Hit{Detail: audit.Bullets(name+" "+audit.Show(get(e.EngineInfo))+":", lines)}
				if packaged {
					h.Severity = audit.Warn
					h.Detail += "\nA distribution's package may have the fixes; look at its changelog."
				}
				return []audit.Hit{h}
			},
			Fires: about(set), Quiet: about(nil),
		}
	}
	return []audit.Check{
		mk("runc_cve", "runc", runcTable, func(e audit.EngineInfo) string { return e.Runc }, func(e *audit.EngineInfo) { e.Runc = "1.1.11" }),
		mk("containerd_cve", "containerd", containerdTable, func(e audit.EngineInfo) string { return e.Containerd }, func(e *audit.EngineInfo) { e.Containerd = "1.7.20" }),
		mk("docker_cve", "Docker Engine", dockerTable, func(e audit.EngineInfo) string { return e.Version }, func(e *audit.EngineInfo) { e.Version = "27.0.3" }),
	}
}
