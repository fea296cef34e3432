package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	gatewayall "github.com/chitin-sh/chitin/gateway/all"
	"github.com/chitin-sh/chitin/gateway/tailscale"
	"github.com/chitin-sh/chitin/gateway/token"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/server/httpapi"
)

// openGate makes the guard.
func (a *App) openGate(ctx context.Context, l *config.Loaded) (err error) {
	named, err := token.NewWatch(ctx, token.NewStore(a.db), a.log)
	if err != nil {
		return err
	}
	a.undo.add("tokens", closing(named.Close))
	a.guard, err = gateway.New(ctx, l.Gateway.Config, gateway.Deps{
		Build: gatewayall.Builder(named), Token: a.secret(keyToken), Password: a.secret(keyPassword),
		Refused: a.refused, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.undo.add("guard", closing(a.guard.Close))
	return nil
}

// Start opens the doors and begins what runs beside calls.
func (a *App) Start(ctx context.Context) error {
	tune()
	l := a.live.Load().loaded
	cfg := l.Gateway.Config
	var err error
	if cfg.Port, err = Port(l, a.opts); err != nil {
		return err
	}
	if a.doors, err = gateway.Listen(ctx, cfg, gateway.ListenOptions{StateDir: a.opts.StateDir, Mode: a.guard.Mode()}); err != nil {
		return err
	}
	if m := cfg.Tailscale.Mode; m == "serve" || m == "funnel" {
		if err := a.openTailscale(ctx, cfg.Tailscale); err != nil {
			return err
		}
	}
	srv := a.handler(l).Server()
	for _, door := range a.doors {
		go a.serve(srv, door)
	}
	a.undo.add("connections", func(ctx context.Context) error { return a.drain(ctx, srv) })
	return a.background(ctx)
}

// openTailscale publishes the gateway through the Tailscale daemon, which
// reaches it on a listener of its own.
func (a *App) openTailscale(ctx context.Context, cfg gateway.TailscaleConfig) error {
	door, url, withdraw, err := tailscale.Open(ctx, cfg)
	if err != nil {
		return err
	}
	a.doors = append(a.doors, door)
	a.undo.add("tailscale", withdraw)
	a.log.Info("published through Tailscale", slog.String("url", url))
	return nil
}

func (a *App) serve(srv *http.Server, door net.Listener) {
	if err := srv.Serve(door); err != nil && !errors.Is(err, http.ErrServerClosed) {
		select {
		case a.failed <- fmt.Errorf("listener %s: %w", door.Addr(), err):
		default:
		}
	}
}

// drain lets calls in flight end until ctx does, then closes what is left.
func (a *App) drain(ctx context.Context, srv *http.Server) error {
	grace, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := srv.Shutdown(grace)
	if err != nil {
		err = srv.Close()
	}
	for a.runner.InFlight() > 0 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	a.note(&journal.Entry{Event: journal.EventStopped})
	return err
}

// background adopts the boxes of an earlier run and prunes old ones. A sandbox
// that cannot be had now is not an error of the gateway.
func (a *App) background(ctx context.Context) error {
	a.cron.Start()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.boxes.Adopt(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("sandbox: " + err.Error())
		}
		a.dropLeftServers()
		releaseStartPages()
		a.boxes.Run(ctx)
	}()
	a.undo.add("background", func(stop context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-stop.Done():
			return stop.Err()
		}
	})
	return nil
}

func (a *App) handler(l *config.Loaded) *httpapi.Server {
	return httpapi.New(httpapi.Deps{
		Guard: a.guard, Invoke: a.runner, Version: a.version(), Log: a.log,
		HSTS:  l.Gateway.HTTP.SecurityHeaders.StrictTransportSecurity,
		Ready: a.ready, Started: a.started, HasAction: a.hasAction,
		MCP: a.openMCP(), Challenge: func(ref *gateway.Refusal) string { return a.resource().Challenge(ref) },
		Metrics: a.metrics(), WS: a.webSocket(), Sessions: httpSessions{a}, Extra: a.extraRoutes(),
		Hooks: a.hooks(), HooksPath: l.Hooks.Path,
	})
}

func (a *App) ready() (bool, []string) {
	var failing []string
	if a.draining.Load() {
		failing = append(failing, "draining")
	}
	if a.journal.Err() != nil {
		failing = append(failing, "journal")
	}
	return len(failing) == 0, failing
}

func (a *App) started() (bool, string) {
	if a.draining.Load() {
		return false, "draining"
	}
	return true, ""
}

// URL is where the first door is.
func (a *App) URL() string {
	scheme := "http"
	if a.live.Load().loaded.Gateway.TLS.Enabled {
		scheme = "https"
	}
	addr := a.doors[0].Addr()
	if addr.Network() == "unix" {
		return "unix:" + addr.String()
	}
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	return scheme + "://" + net.JoinHostPort("127.0.0.1", port)
}

// Hello prints the ready line and, after a first start, what to try.
func (a *App) Hello(w io.Writer) {
	_, _ = fmt.Fprintln(w, "ready "+a.URL())
	for _, s := range a.live.Load().loaded.Warnings {
		a.log.Warn("configuration: " + s.String())
	}
	if len(a.made) == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "made %s in %s\ntry:\n", joinAnd(a.made), a.opts.StateDir)
	_, _ = fmt.Fprintf(w, "  chitin call exec --args '{\"command\":\"id\"}' --state %s\n", a.opts.StateDir)
	token := "$(cat " + a.tokenPath() + ")"
	if _, err := os.Stat(a.tokenPath()); err != nil {
		token = "$CHITIN_GATEWAY_TOKEN"
	}
	_, _ = fmt.Fprintf(w, "  curl -s %s/tools/invoke -H \"Authorization: Bearer %s\" -d '{\"tool\":\"exec\",\"args\":{\"command\":\"id\"}}'\n", a.URL(), token)
	if x := a.boxes.Explain(context.Background(), a.live.Load().loaded.DefaultAgent()); x.Sandboxed && x.Backend == "" {
		_, _ = fmt.Fprintln(w, "no sandbox can be made here: tools that need one refuse until an engine answers; as root: apt-get install docker.io")
	}
}

func joinAnd(words []string) string {
	if len(words) == 2 {
		return words[0] + " and " + words[1]
	}
	return words[0]
}

// Reload reads the configuration again and takes policy, credentials and
// agents from it. A configuration with mistakes changes nothing.
func (a *App) Reload(ctx context.Context) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if err := a.reload(ctx); err != nil {
		a.log.Error("reload refused, everything stays as it was", slog.Any("err", err))
		a.note(&journal.Entry{Event: "config.refused", Error: a.redactor.String(err.Error())})
		return
	}
	a.log.Info("configuration reloaded")
	a.note(&journal.Entry{Event: "config.reloaded"})
}

func (a *App) reload(ctx context.Context) error {
	l, err := config.Load(a.opts.ConfigPath)
	if err != nil {
		return err
	}
	r, err := compile(l, a.toolNames())
	if err != nil {
		return err
	}
	_, failures := a.secrets.Reload(ctx, l.Secrets, needs(l, a.opts))
	if err := required(failures); err != nil {
		return err
	}
	if err := a.guard.Reload(l.Gateway.Config, a.secret(keyToken), a.secret(keyPassword)); err != nil {
		return err
	}
	a.live.Store(r)
	a.servers.Apply(l.MCP)
	return a.recompile(l) // the servers may offer other tools now
}
