package docker

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/chitin-sh/chitin/sandbox"
)

// TestManyBoxes runs ten calls in each of several boxes at once; CHITIN_BOXES
// says in how many. Every answer must come from the box that was asked.
func TestManyBoxes(t *testing.T) {
	needEngine(t)
	n := 6
	if v, err := strconv.Atoi(os.Getenv("CHITIN_BOXES")); err == nil {
		n = v
	}
	state := t.TempDir()
	m, _ := managed(t, testEngine(t, state), state)
	boxes := make([]sandbox.Box, n)
	for i := range boxes {
		b, err := m.BoxFor(t.Context(), sandbox.SessionRef{Agent: fmt.Sprint("a", i), Tenant: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exec1(t.Context(), b, fmt.Sprintf("echo %d > me", i)); err != nil {
			t.Fatal(err)
		}
		boxes[i] = b
	}
	var wg sync.WaitGroup
	for i, b := range boxes {
		for j := range 10 {
			wg.Go(func() {
				got, err := exec1(t.Context(), b, fmt.Sprintf("echo $(cat me)-%d", j))
				if want := fmt.Sprintf("%d-%d", i, j); err != nil || got != want {
					t.Errorf("asked for %s, got %q, %v", want, got, err)
				}
			})
		}
	}
	wg.Wait()
}
