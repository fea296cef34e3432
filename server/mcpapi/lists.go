package mcpapi

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/tool"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Limits of the lists that are kept.
const (
	maxLists = 512
	listLife = 10 * time.Second // the label of a session may change what it sees
)

var emptyObject = json.RawMessage(`{"type":"object"}`)

// lists keeps what callers may see, for as long as the policy stays the same.
type lists struct {
	mu   sync.RWMutex
	made map[listKey]*listing
}

type listKey struct {
	who     who
	session string
}

type listing struct {
	tools      []*mcp.Tool
	short      map[string]bool // tools that answer at once
	generation uint64
	until      time.Time
}

func (l *lists) get(ctx context.Context, d *Door, c gateway.Caller, session string) (*listing, error) {
	key, gen := listKey{whoIs(c), session}, d.Generation()
	l.mu.RLock()
	got := l.made[key]
	l.mu.RUnlock()
	if got != nil && got.generation == gen && time.Now().Before(got.until) {
		return got, nil
	}
	specs, err := d.Corridor.Tools(ctx, d.request(c, session))
	if err != nil {
		return nil, err
	}
	got = &listing{generation: gen, until: time.Now().Add(listLife), short: make(map[string]bool, len(specs)), tools: []*mcp.Tool{}}
	for _, s := range specs {
		got.tools = append(got.tools, describe(s))
		got.short[s.Name] = !s.Traits.Box && !s.Traits.Stream
	}
	slices.SortFunc(got.tools, func(a, b *mcp.Tool) int { return strings.Compare(a.Name, b.Name) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil || len(l.made) >= maxLists {
		l.made = map[listKey]*listing{}
	}
	l.made[key] = got
	return got, nil
}

func describe(s tool.Spec) *mcp.Tool {
	open, destructive := s.Traits.External, s.Traits.Writes
	return &mcp.Tool{
		Name: s.Name, Title: s.Title, Description: s.Description, InputSchema: s.Schema,
		Annotations: &mcp.ToolAnnotations{
			ReadOnlyHint: !s.Traits.Writes && !s.Traits.Control, DestructiveHint: &destructive, OpenWorldHint: &open,
		},
	}
}
