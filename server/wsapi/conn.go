package wsapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/chitin-sh/chitin/gateway"
)

// conn is one WebSocket.
type conn struct {
	s      *Server
	ws     *websocket.Conn
	r      *http.Request
	id     string
	client gateway.Client
	caller gateway.Caller
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex // one frame is written at a time
	seq      uint64
	inFlight chan struct{}
	work     sync.WaitGroup
	follows  sync.Once
}

// ServeHTTP upgrades a request. Every defence that needs no credential comes
// before the upgrade.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client, ref := s.deps.Guard.Screen(r, &route)
	if ref != nil {
		http.Error(w, ref.Message, ref.Status)
		return
	}
	if !s.waiting.enter(client.Peer) {
		http.Error(w, "Too many connections that have not authenticated", http.StatusServiceUnavailable)
		return
	}
	entered := true
	leave := func() {
		if entered {
			entered = false
			s.waiting.leave(client.Peer)
		}
	}
	defer leave()
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the guard checked the Origin, more strictly
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	c := &conn{s: s, ws: ws, r: r, id: newID(), client: client, ctx: ctx, cancel: cancel, inFlight: make(chan struct{}, maxInFlight)}
	grip := c.handshake()
	leave()
	if grip == nil {
		return
	}
	defer grip.Release()
	c.loop()
}

// handshake challenges the client and proves it. nil means that the connection
// is over.
func (c *conn) handshake() *gateway.Grip {
	ctx, cancel := context.WithTimeout(c.ctx, c.s.deps.Handshake)
	defer cancel()
	c.ws.SetReadLimit(preAuthFrame)
	nonce := newID()
	c.send(ctx, event{Type: "event", Event: "connect.challenge", Payload: map[string]any{
		"nonce": nonce, "ts": time.Now().UnixMilli(), "capabilities": []string{},
	}})
	_, data, err := c.ws.Read(ctx)
	if err != nil {
		if ctx.Err() != nil {
			_ = c.ws.Close(websocket.StatusNormalClosure, "handshake timeout")
		}
		return nil
	}
	req, err := parseRequest(data)
	if errors.Is(err, errNotJSON) {
		_ = c.ws.Close(websocket.StatusNormalClosure, "")
		return nil
	}
	if err != nil {
		c.reject(ctx, req.ID, invalid("invalid handshake: first request must be connect"), websocket.StatusPolicyViolation)
		return nil
	}
	p, werr := parseConnect(req)
	if werr == nil {
		if werr = p.checkVersion(); werr != nil {
			c.reject(ctx, req.ID, werr, websocket.StatusProtocolError)
			return nil
		}
		werr = p.checkRole()
	}
	if werr == nil {
		werr = p.verify(nonce, time.Now())
	}
	if werr == nil {
		werr = c.prove(ctx, p)
	}
	if werr != nil {
		c.reject(ctx, req.ID, werr, websocket.StatusPolicyViolation)
		return nil
	}
	return c.hello(ctx, req.ID, p)
}

// prove asks the guard who this is.
func (c *conn) prove(ctx context.Context, p *connectParams) *wireError {
	secret := p.Auth.secret()
	caller, ref := c.s.deps.Guard.Prove(c.r.WithContext(ctx), c.client, &route, secret)
	if ref != nil {
		c.s.deps.Guard.Hold(ctx, ref)
		return authError(ref, secret != "" || c.r.Header.Get("Authorization") != "")
	}
	c.caller = p.narrow(caller)
	return nil
}

// hello begins the session, unless the authority ended meanwhile.
func (c *conn) hello(ctx context.Context, id string, p *connectParams) *gateway.Grip {
	grip, ok := c.s.deps.Guard.Track(c.caller, c.revoked)
	if !ok {
		c.reject(ctx, id, &wireError{Code: codeInvalid, Message: "unauthorized"}, websocket.StatusPolicyViolation)
		return nil
	}
	c.ws.SetReadLimit(maxPayload)
	c.reply(id, c.s.helloPayload(c, p), nil)
	return grip
}

// revoked closes the connection because its credential ended.
func (c *conn) revoked() {
	c.cancel()
	_ = c.ws.Close(websocket.StatusPolicyViolation, "credential revoked")
}

func (c *conn) reject(ctx context.Context, id string, e *wireError, code websocket.StatusCode) {
	c.send(ctx, response{Type: "res", ID: id, Error: e})
	_ = c.ws.Close(code, clip(e.Message))
}

// loop serves requests until either side ends the connection.
func (c *conn) loop() {
	defer c.work.Wait()
	defer c.cancel()
	go c.ticks()
	for {
		_, data, err := c.ws.Read(c.ctx)
		if err != nil {
			return
		}
		req, err := parseRequest(data)
		if errors.Is(err, errNotJSON) {
			_ = c.ws.Close(websocket.StatusInvalidFramePayloadData, "frames are JSON")
			return
		}
		if err != nil {
			c.reply(req.ID, nil, err)
			continue
		}
		select {
		case c.inFlight <- struct{}{}:
		default:
			c.reply(req.ID, nil, &wireError{Code: codeUnavailable, Message: "too many requests at once on this connection", Retryable: true, RetryAfterMs: 250})
			continue
		}
		c.work.Add(1)
		go func() {
			defer c.work.Done()
			defer func() { <-c.inFlight }()
			payload, err := c.dispatch(c.ctx, req)
			c.reply(req.ID, payload, err)
		}()
	}
}

// ticks tells the client now and then that the connection lives.
func (c *conn) ticks() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			c.emit("tick", map[string]any{"ts": now.UnixMilli()})
		case <-c.ctx.Done():
			return
		}
	}
}

func (c *conn) reply(id string, payload any, err error) {
	res := response{Type: "res", ID: id, OK: err == nil, Payload: payload}
	if err != nil {
		res.Payload, res.Error = nil, c.s.wire(err)
	}
	c.send(c.ctx, res)
}

func (c *conn) emit(name string, payload any) {
	c.mu.Lock()
	c.seq++
	seq := c.seq
	c.mu.Unlock()
	c.send(c.ctx, event{Type: "event", Event: name, Payload: payload, Seq: seq})
}

// send writes one frame. A client that does not read loses its connection.
func (c *conn) send(ctx context.Context, frame any) {
	data, err := json.Marshal(frame)
	if err != nil {
		c.s.deps.Log.Error("a frame could not be encoded", "err", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, data); err != nil {
		c.cancel()
	}
}
