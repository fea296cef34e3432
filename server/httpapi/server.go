package httpapi

import (
	"io"
	"log"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/lazyctx"
)

// Server is the HTTP surface.
type Server struct {
	deps   Deps
	router *router
	hsts   []string
	begun  time.Time
}

// New makes the handler of every listener.
func New(d Deps) *Server {
	d.defaults()
	s := &Server{deps: d, router: newRouter(table(&d)), begun: time.Now()}
	if d.HSTS != "" {
		s.hsts = []string{d.HSTS}
	}
	return s
}

// Header values that are the same on every answer.
var (
	nosniff         = []string{"nosniff"}
	noReferrer      = []string{"no-referrer"}
	permissions     = []string{"camera=(), microphone=(self), geolocation=()"}
	cspNothing      = []string{"default-src 'none'; frame-ancestors 'none'"}
	cspPage         = []string{"default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"}
	connectionClose = []string{"close"}
	noStore         = []string{"no-store"}
	typeJSON        = []string{"application/json; charset=utf-8"}
	typeText        = []string{"text/plain; charset=utf-8"}
)

// ServeHTTP finds the row, asks the guard, and only then calls the handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Permissions-Policy"] = permissions
	h["Content-Security-Policy"] = cspNothing
	h["Cache-Control"] = noStore
	if s.hsts != nil {
		h["Strict-Transport-Security"] = s.hsts
	}
	if !acceptable(w, r) {
		return
	}
	row, param := s.router.find(r.URL)
	if row == nil {
		s.fallback(w, r)
		return
	}
	if !row.methodAllowed(r) {
		methodNotAllowed(w, row.allow)
		return
	}
	s.serve(w, r, row, param)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, row *route, param string) {
	adm, ref := s.deps.Guard.Admit(r, &row.Route)
	if ref != nil && (row.Auth != gateway.AuthOptional || !stranger(ref)) {
		s.refuse(w, r, ref)
		return
	}
	if ref != nil { // an optional route answers strangers, but not faster than others
		s.deps.Guard.Hold(r.Context(), ref)
	}
	c := &call{s: s, w: w, r: r, ctx: r.Context(), adm: adm, param: param}
	if adm.Caller.Anonymous() {
		row.handle(c)
		return
	}
	ctx, cancel := lazyctx.WithCancel(r.Context())
	defer cancel()
	grip, ok := s.deps.Guard.Track(adm.Caller, cancel)
	if !ok {
		writeUnauthorized(w)
		return
	}
	defer grip.Release()
	c.ctx = ctx
	row.handle(c)
}

// stranger reports whether a refusal only means that nobody was proved.
func stranger(ref *gateway.Refusal) bool {
	switch ref.Reason {
	case gateway.ReasonMissing, gateway.ReasonWrong, gateway.ReasonLocked, gateway.ReasonIdentity, gateway.ReasonUnavailable, gateway.ReasonRevoked:
		return true
	}
	return false
}

// fallback is a path that no row names: a page's asset or nothing.
func (s *Server) fallback(w http.ResponseWriter, r *http.Request) {
	if s.deps.UI == nil || r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.RawPath != "" || !plainPath(r.URL.Path) {
		notFound(w)
		return
	}
	adm, ref := s.deps.Guard.Admit(r, &pages)
	if ref != nil {
		s.refuse(w, r, ref)
		return
	}
	page(&call{s: s, w: w, r: r, ctx: r.Context(), adm: adm})
}

// acceptable refuses shapes of requests that no route takes.
func acceptable(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodConnect {
		w.Header()["Connection"] = connectionClose
		writeText(w, http.StatusBadRequest, "Bad Request")
		return false
	}
	if e := r.Header["Expect"]; len(e) > 0 && !strings.EqualFold(e[0], "100-continue") {
		writeText(w, http.StatusExpectationFailed, "Expectation Failed")
		return false
	}
	if u := r.Header["Upgrade"]; len(u) > 0 && !strings.EqualFold(u[0], "websocket") {
		writeText(w, http.StatusBadRequest, "Bad Request")
		return false
	}
	return true
}

// Limits of the HTTP server.
const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 30 * time.Second
	maxHeaderBytes = 32 << 10
)

// Server limits what a connection may cost and remembers what the listener
// knows about it. Serve every listener of the gateway with it.
func (s *Server) Server() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       gateway.ConnContext,
		ErrorLog:          log.New(logWriter{s.deps.Log}, "", 0),
	}
}

// logWriter takes the lines that net/http writes about broken connections.
type logWriter struct{ log *slog.Logger }

// Write logs one line at debug level: strangers cause these at will.
func (l logWriter) Write(p []byte) (int, error) {
	l.log.Debug("http", "msg", strings.TrimSpace(string(p)))
	return len(p), nil
}

var _ io.Writer = logWriter{}
