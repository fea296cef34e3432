package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chitin-sh/chitin/agent"
	"github.com/chitin-sh/chitin/agent/cron"
	"github.com/chitin-sh/chitin/agent/subagents"
	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/store"
	"github.com/chitin-sh/chitin/internal/version"
	"github.com/chitin-sh/chitin/invoke"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/mcpclient/hub"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/secrets/redact"
	"github.com/chitin-sh/chitin/secrets/runtime"
	"github.com/chitin-sh/chitin/server/acpapi"
	"github.com/chitin-sh/chitin/server/mcpapi"
	"github.com/chitin-sh/chitin/session"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/procs"
)

// Options of one gateway.
type Options struct {
	StateDir   string
	ConfigPath string
	Port       int // 0: $CHITIN_GATEWAY_PORT, the configuration or the default
	Getenv     func(string) string
	Log        io.Writer
	Tools      []tool.Tool        // more tools than those that every gateway has
	MCP        func(*mcpapi.Deps) // changes what the MCP door offers
}

// App is one gateway: everything it holds open, in the order it was opened.
type App struct {
	opts  Options
	made  []string // what the first start wrote
	began time.Time
	log   *slog.Logger

	// For the life of the process.
	undo      cleanup
	redactor  *redact.Redactor
	journal   *journal.Journal
	db        *store.DB
	secrets   *runtime.Runtime
	sessions  *session.Store
	boxes     *sandbox.Manager
	procs     *procs.Table
	tools     *tool.Registry
	guard     *gateway.Guard
	runner    *invoke.Runner
	servers   *hub.Hub // MCP servers that chitin uses
	once      *invoke.Once
	approvals *approvals
	loop      *agent.Loop
	subagents *subagents.Manager
	cron      *cron.Scheduler
	acp       *acpapi.Server
	runs      *runs
	doors     []net.Listener
	mcp       *mcpapi.Door
	failed    chan error

	// Replaced by a reload.
	reloading  sync.Mutex
	live       atomic.Pointer[rooms]
	generation atomic.Uint64
	draining   atomic.Bool
}

// New prepares a gateway: state directory, lock, configuration, secrets,
// rooms. Nothing listens yet. Whatever it opened is closed when it fails.
func New(ctx context.Context, opts Options) (*App, error) {
	a := &App{opts: opts, began: time.Now(), failed: make(chan error, 4)}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.undo.run(context.WithoutCancel(ctx)))
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	opts := a.opts
	if err := prepareState(opts.StateDir); err != nil {
		return err
	}
	lock, err := lockState(opts.StateDir)
	if err != nil {
		return err
	}
	a.undo.add("lock", closing(lock.Close))
	envToken := strings.TrimSpace(opts.Getenv("CHITIN_GATEWAY_TOKEN")) != ""
	if a.made, err = firstStart(opts.StateDir, opts.ConfigPath, envToken); err != nil {
		return err
	}
	loaded, err := config.Load(opts.ConfigPath)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, *config.Loaded) error{
		a.openLog, a.openState, a.openSecrets, a.openRooms, a.openGate,
	} {
		if err = step(ctx, loaded); err != nil {
			return err
		}
	}
	return nil
}

// openLog makes the logger; every line goes through the redactor.
func (a *App) openLog(_ context.Context, l *config.Loaded) error {
	a.redactor = redact.New(redact.Options{ValuesOnly: l.Logging.RedactSensitive == "off"})
	out := a.opts.Log
	if l.Logging.File != "" {
		f, err := os.OpenFile(l.Logging.File, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("logging.file: %w", err)
		}
		a.undo.add("log", closing(f.Close))
		out = f
	}
	var level slog.Level
	if l.Logging.Level != "" {
		if err := level.UnmarshalText([]byte(l.Logging.Level)); err != nil {
			return fmt.Errorf("logging.level: %w", err)
		}
	}
	ho := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(out, ho)
	if l.Logging.Format == "json" {
		h = slog.NewJSONHandler(out, ho)
	}
	a.log = slog.New(a.redactor.Handler(h))
	for _, w := range l.Warnings {
		a.log.Warn("configuration: " + w.String())
	}
	return nil
}

// openState opens journal and database, and closes what a killed gateway left
// open: calls without an outcome become unknown.
func (a *App) openState(ctx context.Context, _ *config.Loaded) (err error) {
	if err := a.openJournal(); err != nil {
		return err
	}
	if a.db, err = store.Open(ctx, a.opts.StateDir); err != nil {
		return err
	}
	a.undo.add("database", closing(a.db.Close))
	a.sessions = session.NewStore(a.db)
	return nil
}

func (a *App) openJournal() (err error) {
	dir := a.journalDir()
	if a.journal, err = journal.Open(dir, journal.Options{}); err != nil {
		return err
	}
	a.undo.add("journal", closing(a.journal.Close))
	open, err := journal.OpenCalls(dir)
	if err != nil {
		return err
	}
	for _, r := range open {
		_, err := a.journal.Write(&journal.Entry{
			Event: journal.EventDone, Call: r.Call, Principal: r.Principal, Tenant: r.Tenant, Surface: r.Surface,
			Session: r.Session, Tool: r.Tool, Label: r.Label, Outcome: "unknown", Error: "the gateway was stopped during the call",
		})
		if err != nil {
			return err
		}
	}
	_, err = a.journal.Append(&journal.Entry{Event: journal.EventStarted, Reason: "chitin " + version.String()})
	return err
}

// note records something that is not a call.
func (a *App) note(e *journal.Entry) {
	if _, err := a.journal.Append(e); err != nil {
		a.log.Error("journal refused a record", slog.Any("err", err))
	}
}

// Stop drains the calls in flight until ctx ends, then undoes everything in
// reverse order.
func (a *App) Stop(ctx context.Context) error {
	a.draining.Store(true)
	return errors.Join(a.endTurns(ctx), a.undo.run(ctx))
}

// Failed delivers the error of a listener that ended by itself.
func (a *App) Failed() <-chan error { return a.failed }

func (a *App) journalDir() string { return filepath.Join(a.opts.StateDir, journal.DirName) }

func (a *App) version() string { return version.String() }
