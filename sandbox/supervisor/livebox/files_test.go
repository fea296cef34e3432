package livebox

import (
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
)

func TestEachPathHasOneSide(t *testing.T) {
	b := &Box{o: Options{Info: sandbox.Info{Workdir: "/workspace"}}}
	f := &files{box: b, inside: []string{"/", "/tmp", "/workspace/cache"}}
	for p, inside := range map[string]bool{
		"a": false, "./a": false, "a/../b": false, "/workspace/a": false, "/workspace": false, "/workspace/../workspace/a": false,
		"/tmp/a": true, "/etc/passwd": true, "/workspace/cache/x": true, "cache/x": true, "/workspace/cachex": false, "/workspace/../etc/passwd": true,
		"/": true, "../etc/passwd": false, "/workspacex/a": true, "/proc/self/fd/3": true,
	} {
		if full, got := f.isInside(p); got != inside {
			t.Errorf("%s: inside %v (%s)", p, got, full)
		}
	}
}

func FuzzInfos(f *testing.F) {
	f.Add([]byte("12 644 0 1700000000000000000 name\x00"))
	f.Add([]byte("0 755 1 0 a b c\x005 644 0 1 x\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parseInfos(b)
		if err != nil {
			return
		}
		for _, i := range list {
			if i.Size < 0 || len(i.Name) > 255 || strings.Contains(i.Name, "/") && i.Name != "/" {
				t.Fatalf("%+v", i)
			}
		}
	})
}

func TestEnvironmentIsLaidOver(t *testing.T) {
	got := strings.Join(mergeEnv([]string{"PATH=/bin", "A=1", "AB=2"}, []string{"A=9", "C=3"}), " ")
	if got != "PATH=/bin AB=2 A=9 C=3" {
		t.Fatal(got)
	}
}
