package app

import "testing"

func TestHeadroom(t *testing.T) {
	for live, want := range map[uint64]int{0: 250, 1 << 20: 250, 4 << 20: 200, 8 << 20: 100, 1 << 30: 100} {
		if got := growth(live); got != want {
			t.Errorf("a live heap of %d grows by %d %%, want %d", live, got, want)
		}
	}
}
