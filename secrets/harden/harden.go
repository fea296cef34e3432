// Package harden keeps the memory of this process to itself: no core dump,
// and no other process of the same user that reads it.
package harden
