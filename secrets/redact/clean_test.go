package redact_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/redact"
)

func TestATextThatWasCleanIsLookedAtAgainForNewValues(t *testing.T) {
	r := redact.New(redact.Options{})
	const text = "session hunter2-hunter2"
	for range 3 { // the second time it is known to be clean
		if got := r.String(text); got != text {
			t.Fatalf("redacted %q without a reason", got)
		}
	}
	r.Set([]secrets.Value{secrets.NewValue("hunter2-hunter2")})
	for range 3 {
		if got := r.String(text); strings.Contains(got, "hunter2") {
			t.Fatalf("a new value got through: %q", got)
		}
	}
}

func TestRememberedTextsAreToldApart(t *testing.T) {
	r := redact.New(redact.Options{ValuesOnly: true})
	r.Set([]secrets.Value{secrets.NewValue("correct-horse-battery")})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 5000 { // many more than are remembered
				clean, dirty := fmt.Sprintf("text %d of %d", i, g), fmt.Sprintf("correct-horse-battery %d", i)
				if got := r.String(clean); got != clean {
					t.Errorf("%q became %q", clean, got)
				}
				if got := r.String(dirty); strings.Contains(got, "correct") {
					t.Errorf("%q got through", got)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkKnownText(b *testing.B) {
	r := redact.New(redact.Options{})
	b.ReportAllocs()
	for b.Loop() {
		r.String("agent:main:main")
	}
}
