package host

import (
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

func sysctls(m map[string]string) audit.Probes {
	return audit.Probes{Sysctl: func(p string) (string, bool) { v, ok := m[p]; return v, ok }}
}

// knob makes a check of one file below /proc or /sys: bad says what is wrong
// with its value. A file that is not there says nothing.
func knob(id, sev, path, title, why, remedy, cwe string, bad func(v string) bool, fires, quiet string) audit.Check {
	ex := func(v string) []audit.Example {
		return []audit.Example{{Config: `{}`, Probes: sysctls(map[string]string{path: v})}}
	}
	return audit.Check{
		ID: "kernel." + id, Layer: layer, On: audit.Own, Severity: sev, Deep: true, Title: title, Why: why, Remedy: remedy, Refs: []string{cwe},
		Run: func(s *audit.Subject) []audit.Hit {
			if s.Probes.Sysctl == nil {
				return nil
			}
			if v, ok := s.Probes.Sysctl(path); ok && bad(v) {
				first, _, _ := strings.Cut(v, "\n")
				return []audit.Hit{{File: path, Detail: path + " is " + audit.Show(first[:min(len(first), 200)]) + "."}}
			}
			return nil
		},
		Fires: ex(fires), Quiet: ex(quiet),
	}
}

func isValue(want string) func(string) bool { return func(v string) bool { return v == want } }

// Kernel lists the checks of the kernel's own protections.
func Kernel() []audit.Check {
	const k, fs = "/proc/sys/kernel/", "/proc/sys/fs/"
	return []audit.Check{
		knob("aslr_off", "critical", k+"randomize_va_space", "Address randomisation is off", "Every memory bug of every program is far easier to use.", "sysctl kernel.randomize_va_space=2", "CWE-330", isValue("0"), "0", "2"),
		knob("ptrace_unrestricted", "warn", k+"yama/ptrace_scope", "Programs may trace each other", "A command on the host reads the gateway's memory, keys included.", "sysctl kernel.yama.ptrace_scope=1", "CWE-269", isValue("0"), "0", "1"),
		knob("dmesg_open", "info", k+"dmesg_restrict", "Everybody may read the kernel's log", "It holds addresses and device details that exploits need.", "sysctl kernel.dmesg_restrict=1", "CWE-200", isValue("0"), "0", "1"),
		knob("kptr_open", "info", k+"kptr_restrict", "Kernel addresses are visible", "Exploits need them.", "sysctl kernel.kptr_restrict=1", "CWE-200", isValue("0"), "0", "1"),
		knob("bpf_open", "warn", k+"unprivileged_bpf_disabled", "Everybody may load BPF programs", "Its verifier has been a source of escalations for years.", "sysctl kernel.unprivileged_bpf_disabled=1", "CWE-250", isValue("0"), "0", "2"),
		knob("perf_open", "info", k+"perf_event_paranoid", "Everybody may use performance counters", "They are a side channel and a large kernel surface.", "sysctl kernel.perf_event_paranoid=2", "CWE-250", func(v string) bool { return v == "-1" || v == "0" || v == "1" }, "1", "2"),
		knob("core_pattern_pipe", "info", k+"core_pattern", "Crashing programs are handed to a program that runs as root", "A crash in a sandbox makes a program run outside of it, with input from inside.", "sysctl kernel.core_pattern=core, or keep that program up to date", "CWE-250", func(v string) bool { return strings.HasPrefix(v, "|") }, "|/usr/bin/crash", "core"),
		knob("symlinks_unprotected", "warn", fs+"protected_symlinks", "Links in shared directories are followed", "Another account turns a write of yours into a write of its choice.", "sysctl fs.protected_symlinks=1", "CWE-59", isValue("0"), "0", "1"),
		knob("hardlinks_unprotected", "warn", fs+"protected_hardlinks", "Hard links to other people's files may be made", "Another account keeps an old, vulnerable file alive, or gets its mode changed.", "sysctl fs.protected_hardlinks=1", "CWE-59", isValue("0"), "0", "1"),
		knob("suid_dumpable", "warn", fs+"suid_dumpable", "Privileged programs leave memory dumps", "The dump holds what the program protected.", "sysctl fs.suid_dumpable=0", "CWE-528", isValue("1"), "1", "0"),
		knob("fifos_unprotected", "info", fs+"protected_fifos", "Pipes in shared directories are opened", "Another account waits with a pipe under the name of your temporary file.", "sysctl fs.protected_fifos=1", "CWE-379", isValue("0"), "0", "1"),
		knob("userns_unavailable", "info", "/proc/sys/user/max_user_namespaces", "User namespaces are switched off", "The namespace backend of the sandbox cannot run.", "sysctl user.max_user_namespaces=10000", "CWE-693", isValue("0"), "0", "10000"),
		knob("seccomp_missing", "critical", k+"seccomp/actions_avail", "The kernel has no system-call filter", "No sandbox of this host has one.", "Use a kernel with CONFIG_SECCOMP_FILTER.", "CWE-693", func(v string) bool { return !strings.Contains(v, "errno") }, "none", "kill_process errno trap allow"),
		knob("mitigations_off", "critical", "/proc/cmdline", "Processor mitigations are switched off", "A sandbox reads other programs' memory through the processor's caches.", "Remove mitigations=off from the kernel's command line.", "CWE-1303", func(v string) bool { return strings.Contains(v, "mitigations=off") }, "quiet mitigations=off", "quiet"),
		knob("cgroup_controllers_missing", "warn", "/sys/fs/cgroup/cgroup.controllers", "The kernel cannot limit memory or processes", "A limit in the configuration is then a wish.", "Enable the memory and pids controllers.", "CWE-770",
			func(v string) bool {
				return !strings.Contains(" "+v+" ", " memory ") || !strings.Contains(" "+v+" ", " pids ")
			}, "cpuset cpu io", "cpuset cpu io memory pids"),
		knob("swap_unencrypted", "info", "/proc/swaps", "Memory may be written to disk in clear", "Keys of the gateway end up in a swap partition.", "Encrypt swap, or switch it off.", "CWE-312",
			func(v string) bool {
				return strings.Contains(v, "/dev/sd") || strings.Contains(v, "/dev/nvme") || strings.Contains(v, "/dev/vd")
			}, "Filename\n/dev/sda2 partition 1 0 -2", "Filename"),
		account("running_as_root", "warn; info when the state belongs to another account", "The gateway's account is root", "Every mistake of the gateway is a mistake of root.", "Run it under an account of its own.", 0, 1000),
	}
}

func account(id, sev, title, why, remedy string, bad, good int) audit.Check {
	ex := func(uid int) []audit.Example {
		return []audit.Example{{Config: `{}`, Probes: audit.Probes{Euid: func() int { return uid }}}}
	}
	return audit.Check{
		ID: "host." + id, Layer: layer, On: audit.Own, Severity: sev, Deep: true, Title: title, Why: why, Remedy: remedy, Refs: []string{"CWE-250"},
		Run: func(s *audit.Subject) []audit.Hit {
			if s.Probes.Euid == nil || s.Probes.Euid() != 0 {
				return nil
			}
			if owner := s.Disk.Stat(s.StateDir).UID; owner != 0 { // root looks at another account's state
				return []audit.Hit{{Severity: audit.Info, File: s.StateDir, Detail: "The audit runs as root; the state directory does not belong to it."}}
			}
			return []audit.Hit{{File: s.StateDir, Detail: "The audit runs as root and the state directory belongs to root."}}
		},
		Fires: ex(bad), Quiet: ex(good),
	}
}
