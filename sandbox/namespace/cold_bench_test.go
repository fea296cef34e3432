//go:build linux

package namespace

import "testing"

func BenchmarkColdShell(b *testing.B) {
	for b.Loop() {
		shell(b, "true")
	}
}
