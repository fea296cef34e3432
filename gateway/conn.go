package gateway

import (
	"context"
	"net"
	"net/http"

	"github.com/chitin-sh/chitin/gateway/internal/mutate"
	"github.com/chitin-sh/chitin/gateway/internal/ucred"
)

// Conn is what is known of a connection before its first byte.
type Conn struct {
	Unix      bool
	Known     bool   // on the Unix socket: the kernel told us the peer
	UID       uint32 // on the Unix socket
	PID       int32
	Tailscale bool // on the private listener behind tailscale serve or funnel
}

type connKey struct{}

// ConnContext is for http.Server.ConnContext: it remembers what the listener
// knows of the connection. Without it nobody on a Unix socket is identified.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	info := &Conn{}
	switch c := c.(type) {
	case *net.UnixConn:
		info.Unix = true
		if uid, pid, err := ucred.Of(c); err == nil {
			info.Known, info.UID, info.PID = true, uid, pid
		}
	case *tailscaleConn:
		info.Tailscale = true
	default:
		return ctx
	}
	return context.WithValue(ctx, connKey{}, info)
}

func connOf(r *http.Request) *Conn {
	c, _ := r.Context().Value(connKey{}).(*Conn)
	return c
}

// tailscaleConn marks connections of the private listener.
type tailscaleConn struct{ net.Conn }

type tailscaleListener struct{ net.Listener }

// Accept waits for the next connection and marks it.
func (l tailscaleListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tailscaleConn{c}, nil
}

// PrivateListener marks every connection of l as coming from the Tailscale
// daemon of this machine. Serve it with the same handler.
func PrivateListener(l net.Listener) net.Listener { return tailscaleListener{l} }

type callerKey struct{}

// WithCaller attaches a caller to a context, for handlers of other packages.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// FromContext is the caller that the guard admitted, anonymous if none.
func FromContext(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// WithConn pretends, for tests, that a request came over a connection. Its
// parameter's type is internal to the gateway's folder.
func WithConn(ctx context.Context, _ mutate.Key, c Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &c)
}
