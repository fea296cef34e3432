package shell

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// The programs that run other programs or code given to them, by what they
// are. Being listed means that no pattern ever covers a use of them; only a
// human's yes to the exact plan does.
const (
	wrapperNames = `sudo sudoedit doas su runuser run0 pkexec gosu su-exec sg newgrp env printenv0 nice ionice chrt taskset nohup setsid
 setpriv timeout stdbuf unbuffer flock lockf setlock sem parallel xargs time script scriptreplay watch entr strace ltrace
 gdb gdbserver lldb perf valgrind catchsegv rr bpftrace setarch linux32 linux64 i386 i486 i586 i686 x86_64 uname26
 unshare nsenter chroot pivot_root switch_root capsh prlimit cgexec systemd-run systemd-inhibit systemd-nspawn machinectl
 firejail bwrap proot fakeroot fakechroot pseudo chpst softlimit envdir envuidgid setuidgid pgrphack svc runsv
 busybox toybox numactl rlwrap expect dbus-run-session dbus-launch dbus-send xvfb-run ssh-agent sshpass tini dumb-init
 catatonit s6-setuidgid s6-envdir s6-softlimit execlineb daemon daemonize start-stop-daemon cpulimit eatmydata faketime
 torsocks torify proxychains proxychains4 tsocks screen tmux dtach abduco byobu at batch crontab anacron runcon
 chronic ts ifne sponge vipe pee mispipe zrun ccache distcc sccache icecc buildah skopeo choom uclampset coresched
 linux64 ld.so ld-linux.so.2 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 ld-musl-x86_64.so.1 ld-musl-aarch64.so.1
 hyperfine reptyr nohup.sh with-contenv trickle cset schedtool vglrun primusrun optirun gamemoderun direnv dotenv aws-vault
 op vault-exec chamber teller envconsul summon sops doppler infisical`
	shellNames       = `sh bash dash zsh ksh ksh93 mksh pdksh ash fish csh tcsh rbash rsh rksh yash posh osh oil nu xonsh elvish pwsh powershell cmd`
	interpreterNames = `python python2 python3 pypy pypy3 ipython perl ruby irb node nodejs deno bun php php-cgi lua luajit texlua tclsh
 wish expect rscript r octave julia ghc ghci runghc runhaskell stack iex elixir erl escript scala groovy kotlin kotlinc
 java jshell javac swift dotnet csi fsi mono awk gawk mawk nawk bwk sed gsed ed ex vi vim view nvim rvim rview emacs
 emacsclient nano pico joe micro less more most man info pager bc dc m4 gnuplot sqlite3 sqlite psql mysql mariadb
 mongo mongosh redis-cli ftp sftp telnet nc ncat netcat socat gdb guile racket sbcl clisp clojure lein clj ocaml coqtop
 swipl gprolog jython rhino qjs d8 tsx ts-node esno zx wasmtime wasmer wasmedge nix-shell pry rails dbclient tclsh8.6 xslt xsltproc`
	runnerNames = `npm npx pnpm pnpx yarn yarnpkg bunx corepack pip pip3 pipx uv uvx poetry pdm hatch conda mamba tox nox pre-commit
 cargo rustup rustc go gofmt gcc g++ cc c++ clang clang++ ld as make gmake bmake cmake ctest cpack ninja meson scons bazel
 buck just task rake bundle bundler gem gradle gradlew mvn mvnw ant sbt mill composer cpan cpanm docker docker-compose podman
 nerdctl kubectl helm crictl ctr runc crun ssh scp rsync rsh rlogin mosh ansible ansible-playbook salt puppet chef terraform
 tofu pulumi vagrant packer tar bsdtar gtar cpio pax zip star 7z 7za unar ar rpm dpkg apt apt-get aptitude dnf yum zypper apk
 pacman snap flatpak brew nix nix-build guix systemctl journalctl service initctl rc-service loginctl logrotate run-parts
 update-alternatives ldconfig ldd modprobe insmod mount umount crond cron mail mailx sendmail mutt tcpdump nmap wireshark
 tshark iptables ip ifconfig openssl gpg gpg2 osascript open xdg-open launchctl hg svn bzr fossil cvs repo gh glab hub
 git-shell git-upload-pack git-receive-pack fzf ranger mc nnn lf vifm tig lazygit ctags etags cscope indent latex pdflatex
 tex xelatex lualatex convert magick mogrify ffmpeg gs ghostscript exiftool wget aria2c youtube-dl yt-dlp rclone restic borg
 unison lftp rpcclient smbclient dhclient pppd wpa_cli nmcli opkg installkernel kexec bootctl efibootmgr eval-sh envsubst-sh
 act jenkins pre-commit lefthook husky mocha jest vitest pytest py.test unittest coverage phpunit rspec cucumber gulp grunt
 webpack vite rollup esbuild tsc eslint prettier babel nodemon pm2 forever supervisord supervisorctl foreman honcho overmind`
	// builtinNames change how the shell reads what follows, or run code.
	builtinNames = `eval exec source . command builtin trap alias unalias export readonly declare typeset local set shopt unset
 cd pushd popd bind enable hash fc read readarray mapfile getopts let coproc wait jobs fg bg disown suspend umask ulimit
 kill exit return break continue shift logout caller compgen complete compopt dirs history type help times`
)

// kinds maps a program's name to what it is.
var kinds = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, k := range []struct{ names, what string }{
		{runnerNames, "a program that runs others"},
		{interpreterNames, "an interpreter"},
		{shellNames, "a shell"},
		{wrapperNames, "a wrapper"},
		{builtinNames, "a shell builtin that changes what follows"},
	} {
		for _, n := range strings.Fields(k.names) {
			m[n] = k.what
		}
	}
	return m
})

// versioned is a name with a version at its end, such as python3.12 or
// gcc-13.
var versioned = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([a-z+_-]*[a-z+])[-_]?[0-9][0-9.]*$`) })

// Kind says what a program is when it runs other programs or code, "" for a
// plain one. It looks at the last element of the path, in any case.
func Kind(program string) string {
	if k := kinds()[program]; k != "" {
		return k
	}
	base := program
	if strings.Contains(base, "/") {
		base = path.Base(base)
	}
	base = strings.ToLower(base)
	base = strings.TrimSuffix(base, ".exe")
	if k := kinds()[base]; k != "" {
		return k
	}
	if strings.ContainsAny(base, "0123456789") {
		if m := versioned().FindStringSubmatch(base); m != nil {
			return kinds()[m[1]]
		}
	}
	if strings.HasPrefix(base, "ld-") && strings.Contains(base, ".so") {
		return "a wrapper"
	}
	return ""
}

// classify doubts a command whose program runs others, or whose options make
// it do so.
func (w *walker) classify(c Command) {
	if c.Argv == nil {
		return // already doubted
	}
	name := c.Argv[0]
	switch k := Kind(name); {
	case name == "":
		w.doubt(mutate.GuardParse, "an empty command name")
	case !ascii(name):
		w.doubt(mutate.GuardParse, "a command name outside ASCII: "+Show(name))
	case k != "":
		w.doubt(mutate.GuardWrapper, Show(name)+" is "+k)
	}
	if opt := dangerous(path.Base(name), c.Argv[1:]); opt != "" {
		w.doubt(mutate.GuardOption, Show(name)+" with "+Show(opt)+" runs programs or writes files")
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// options are those of one program that run code or write where they like.
type options struct {
	long  []string // without dashes; any unambiguous-looking beginning counts
	short string
	words []string // exact words: find's expressions, git's subcommands
}

// risky lists the options per program.
var risky = sync.OnceValue(func() map[string]options {
	git := options{
		long:  strings.Fields("exec-path config-env git-dir work-tree upload-pack receive-pack exec ext-diff textconv open-files-in-pager output output-directory super-prefix paginate template separate-git-dir config extcmd tool gpg-sign remote"),
		short: "cCOox",
		words: strings.Fields("bisect submodule filter-branch difftool mergetool config hook credential credential-cache credential-store send-email daemon instaweb remote-ext remote-fd shell upload-pack receive-pack upload-archive cvsserver svn p4 gui citool help web--browse alias fsmonitor--daemon http-backend"),
	}
	return map[string]options{
		"git":  git,
		"sort": {long: strings.Fields("compress-program output temporary-directory files0-from random-source"), short: "oT"},
		"find": {words: strings.Fields("-exec -execdir -ok -okdir -delete -fprint -fprint0 -fprintf -fls -files0-from")},
		"rg":   {long: strings.Fields("pre pre-glob hostname-bin search-zip"), short: "z"},
		"fd":   {long: strings.Fields("exec exec-batch"), short: "xX"}, "fdfind": {long: strings.Fields("exec exec-batch"), short: "xX"},
		"test": {words: []string{"-v", "-R"}}, "[": {words: []string{"-v", "-R"}},
		"printf": {short: "v"},
		"split":  {long: []string{"filter"}}, "csplit": {long: []string{"prefix"}, short: "f"},
		"shuf":    {long: strings.Fields("output random-source"), short: "o"},
		"install": {long: []string{"strip-program"}},
		"diff3":   {long: []string{"diff-program"}}, "sdiff": {long: strings.Fields("diff-program output"), short: "o"},
		"curl": {long: strings.Fields("output remote-name remote-name-all config upload-file engine output-dir create-file-mode dump-header cookie-jar trace trace-ascii stderr proto-redir netrc-file unix-socket libcurl cert key pinnedpubkey hsts alt-svc etag-save data form json"), short: "oOKTDcEdFbn"},
		"date": {long: []string{"set"}, short: "s"}, "hostname": {long: []string{"file"}, short: "Fb"},
		"file": {long: []string{"compile"}, short: "C"}, "tail": {long: []string{"pid"}},
		"tree": {long: []string{"output"}, short: "o"}, "xxd": {short: "r"},
		"dmesg":   {long: strings.Fields("clear console-off read-clear"), short: "Cc"},
		"ps":      {},
		"strings": {long: []string{"target"}}, "nm": {long: []string{"plugin"}}, "objdump": {long: []string{"plugin"}},
		"iconv": {long: []string{"output"}, short: "o"}, "xmllint": {long: strings.Fields("output shell load-trace"), short: "o"},
		"tidy": {short: "m"},
	}
})

// dangerous is the first argument of a program that makes it run code or write
// files, or "". Abbreviations of a long option count as the option: getopt
// completes them.
func dangerous(name string, args []string) string {
	o, ok := risky()[name]
	if !ok {
		return ""
	}
	for _, a := range args {
		if strings.HasPrefix(a, "ext::") || strings.HasPrefix(a, "fd::") || slices.Contains(o.words, a) {
			return a
		}
		if long, found := strings.CutPrefix(a, "--"); found {
			long, _, _ = strings.Cut(long, "=")
			if long != "" && slices.ContainsFunc(o.long, func(l string) bool { return strings.HasPrefix(l, long) }) {
				return a
			}
			continue
		}
		if len(a) > 1 && a[0] == '-' && strings.ContainsAny(a[1:], o.short) {
			return a
		}
	}
	return ""
}
