package app

import "testing"

func TestHeadroom(t *testing.T) {
	for live, want := range map[uint64]int{0: 300, 1 << 20: 300, 5 << 20: 200, 10 << 20: 100, 1 << 30: 100} {
		if got := growth(live); got != want {
			t.Errorf("a live heap of %d grows by %d %%, want %d", live, got, want)
		}
	}
}
