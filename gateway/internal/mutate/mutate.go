// Package mutate names the guard's single defences, so that the attack tests
// can switch one off and see their row turn red. It is internal to the
// gateway's folder: no configuration and no other room reaches it.
package mutate

// Switch is a set of defences.
type Switch uint32

// The defences.
const (
	Host Switch = 1 << iota
	Query
	Attribution
	Origin
	Lockout
	Compare
	Scope
	Epoch
	OwnAddress
	RequiredHeaders
	AllowUsers
	Narrowing
	Loopback
	Tailscale
	Expiry
)

// Key is what only the gateway's folder can pass.
type Key struct{}
