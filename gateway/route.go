package gateway

// Auth is what a route asks of a caller.
type Auth uint8

// The kinds of protection. The zero value demands a proved caller.
const (
	AuthRequired Auth = iota
	AuthOptional      // strangers are answered too, with less
	AuthOwn           // the handler proves callers itself: WebSocket handshake, hooks, pages
	AuthPublic        // answers anybody before attribution: liveness only
)

// Route is what the guard must know about a route. It comes from the route
// table, never from the request.
type Route struct {
	Path    string   // pattern, such as /sessions/{key}/history
	Methods []string // allowed methods
	Auth    Auth
	Scope   Scope // scopes that a proved caller must hold
	Page    bool  // shown by browsers: navigation from elsewhere is allowed
	About   string
}

// String is the protection as the documentation writes it.
func (a Auth) String() string {
	return [...]string{"gateway", "optional", "own", "none"}[min(a, 3)]
}
