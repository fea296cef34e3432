package boundary

import (
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// checkClean is what holds for every text: what is clean stays so, findings lie
// in order within the text, and a text without any is not touched.
func checkClean(t interface{ Fatalf(string, ...any) }, s string) {
	out, found := Clean(s)
	if !utf8.ValidString(out) {
		t.Fatalf("%q became %q, which is no UTF-8", s, out)
	}
	if left := Find(out); len(left) > 0 {
		t.Fatalf("%q became %q with %q in it", s, out, out[left[0].Start:left[0].End])
	}
	if len(found) == 0 && out != strings.ToValidUTF8(s, "\uFFFD") {
		t.Fatalf("%q became %q for nothing", s, out)
	}
	at, size := 0, len(strings.ToValidUTF8(s, "\uFFFD"))
	for _, f := range found {
		if f.Start < at || f.End <= f.Start || f.End > size {
			t.Fatalf("%q: a finding at [%d,%d) after %d of %d", s, f.Start, f.End, at, size)
		}
		at = f.End
	}
}

func FuzzClean(f *testing.F) {
	for _, g := range [][]forge{letterForges, splitForges, encodedForges, blockForges, shapeForges} {
		for i, x := range g {
			if i%5 == 0 {
				f.Add(x.f(forgedEnd))
			}
		}
	}
	for i, s := range harmless {
		if i%9 == 0 {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, s string) { checkClean(t, s) })
}

// Forgeries inside forgeries, one in the other's middle, whatever their kinds.
func TestForgeriesInForgeries(t *testing.T) {
	t.Parallel()
	all := append(append(append([]forge{}, letterForges...), splitForges...), encodedForges...)
	rapid.Check(t, func(t *rapid.T) {
		s := forgedEnd
		for range rapid.IntRange(1, 4).Draw(t, "depth") {
			inner := rapid.SampledFrom(all).Draw(t, "inner").f(forgedEnd)
			at := rapid.IntRange(0, len(s)).Draw(t, "at")
			s = s[:at] + inner + s[at:]
		}
		checkClean(t, before+s+after)
		if out, _ := Clean(before + s + after); strings.Contains(out, "EXTERNAL_UNTRUSTED_CONTENT") {
			t.Fatalf("%q became %q", s, out)
		}
	})
}

// FuzzCost looks for a text that costs very much more than prose, over and
// over again.
func FuzzCost(f *testing.F) {
	for _, s := range []string{"prose and words ", "<<<", "<s>", "\x1b]", "+AAAA", "=?a?b?", "<~", "&#00", `\74`, "ABCD ", "60 ", "x<!-- -->"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, unit string) {
		if len(unit) == 0 || len(unit) > 4096 {
			return
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cost := func(size int) time.Duration {
			s := strings.Repeat(unit, size/len(unit)+1)
			start := processor()
			Clean(s)
			return processor() - start
		}
		for range 4 {
			small, large := cost(16<<10), cost(64<<10)
			if large < 60*time.Millisecond || large < 10*small && large < 400*time.Millisecond { // 1 µs a byte; the fuzzer's counters take most of it
				return
			}
		}
		t.Fatalf("64 KiB of %q take %v, 16 KiB %v", unit, cost(64<<10), cost(16<<10))
	})
}

// processor is the processor time of this thread.
func processor() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
