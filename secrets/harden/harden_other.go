//go:build !linux

package harden

// Process does nothing on this system.
func Process() error { return nil }

// NoCore does nothing on this system.
func NoCore() error { return nil }
