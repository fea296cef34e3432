package app

import "testing"

func TestHeadroom(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 7 << 20: 200, 14 << 20: 100, 1 << 30: 100} {
		if got := growth(live); got != want {
			t.Errorf("a live heap of %d grows by %d %%, want %d", live, got, want)
		}
	}
}
