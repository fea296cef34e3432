package mcpapi

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The resources of every gateway.
const (
	journalURI      = "chitin://journal/recent"
	journalTemplate = "chitin://journal/last/{count}"
	findingsURI     = "chitin://audit/findings"
)

// Limits of the journal as a resource.
const (
	recentRecords = 100
	maxRecords    = 1000
	watchEvery    = time.Second
)

// addResources shows a tenant its own newest records, and an administrator
// the audit's findings.
func (d *Door) addResources(s *mcp.Server) {
	if d.Journal != nil {
		s.AddResource(&mcp.Resource{
			URI: journalURI, Name: "journal", Title: "Newest decisions", MIMEType: "application/jsonl",
			Description: "The newest records of your tenant's journal, one a line.",
		}, d.readJournal)
		s.AddResourceTemplate(&mcp.ResourceTemplate{
			URITemplate: journalTemplate, Name: "journal-last", Title: "So many of the newest decisions", MIMEType: "application/jsonl",
			Description: "At most 1000 of the newest records of your tenant's journal, one a line.",
		}, d.readJournal)
	}
	if d.Findings != nil {
		s.AddResource(&mcp.Resource{
			URI: findingsURI, Name: "findings", Title: "Audit findings", MIMEType: "application/json",
			Description: "What the security audit finds in the running configuration; needs operator.admin.",
		}, d.readFindings)
	}
}

func (d *Door) readJournal(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	c, _, err := d.caller(req.Extra, gateway.ScopeRead)
	if err != nil {
		return nil, err
	}
	uri, count := req.Params.URI, recentRecords
	if uri != journalURI {
		count, err = strconv.Atoi(strings.TrimPrefix(uri, strings.TrimSuffix(journalTemplate, "{count}")))
		if err != nil || count < 1 || count > maxRecords {
			return nil, mcp.ResourceNotFoundError(uri)
		}
	}
	text, err := d.Journal(c.Tenant(), count)
	if err != nil {
		return nil, errors.New("the journal cannot be read")
	}
	return contents(uri, "application/jsonl", text), nil
}

func (d *Door) readFindings(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	if _, _, err := d.caller(req.Extra, gateway.ScopeAdmin); err != nil {
		return nil, err
	}
	text, err := d.Findings(ctx)
	if err != nil {
		return nil, errors.New("the audit cannot be run")
	}
	return contents(findingsURI, "application/json", text), nil
}

func contents(uri, mime, text string) *mcp.ReadResourceResult {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, MIMEType: mime, Text: text}}}
}

// watch tells the sessions of one tenant that its journal has grown, for as
// long as one of them listens.
type watch struct {
	door   *Door
	tenant string
	server *mcp.Server

	mu        sync.Mutex
	listeners map[*mcp.ServerSession]bool
}

func (w *watch) subscribe(_ context.Context, req *mcp.SubscribeRequest) error {
	if req.Params.URI != journalURI || w.door.Journal == nil {
		return nil // such a resource never changes by itself
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	start := len(w.listeners) == 0
	if start {
		w.listeners = map[*mcp.ServerSession]bool{}
	}
	w.listeners[req.Session] = true
	if start {
		go w.run()
	}
	return nil
}

func (w *watch) unsubscribe(_ context.Context, req *mcp.UnsubscribeRequest) error {
	if req.Params.URI == journalURI {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.listeners, req.Session)
	}
	return nil
}

// run looks every second for new records until nobody listens any more.
func (w *watch) run() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	newest, _ := w.door.Journal(w.tenant, 1)
	for range tick.C {
		if !w.wanted() {
			return
		}
		now, err := w.door.Journal(w.tenant, 1)
		if err == nil && now != newest {
			newest = now
			_ = w.server.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: journalURI})
		}
	}
}

// wanted forgets listeners whose session has ended, and reports whether one is
// left; if not, the next subscription starts a watch of its own.
func (w *watch) wanted() bool {
	open := map[*mcp.ServerSession]bool{}
	for s := range w.server.Sessions() {
		open[s] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.listeners {
		if !open[s] {
			delete(w.listeners, s)
		}
	}
	return len(w.listeners) > 0
}
