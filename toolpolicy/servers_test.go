package toolpolicy

import (
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/gateway"
)

func TestServersOfTools(t *testing.T) {
	e, ps := Compile(Source{
		Config:     Config{Policy: &Policy{Allow: []string{"mcp:files", "mcp:later", "later__x", "gone__x"}}},
		KnownTools: []string{"exec", "files__get", "files__put", "other__get"}, Servers: []string{"files", "later"},
	})
	var warned []string
	for _, p := range ps {
		warned = append(warned, p.Message)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "gone__x") {
		t.Errorf("warnings: %q", warned)
	}
	for name, want := range map[string]bool{"files__get": true, "files__put": true, "other__get": false, "exec": false} {
		q := &Query{Tool: name, Surface: SurfaceCLI, Session: &Session{Tenant: "default", Agent: "main"}}
		if got := e.visible(Subject{Kind: "token", Tenant: "default", Owner: true, Scopes: gateway.AllScopes}, q); got != want {
			t.Errorf("%s: visible %v", name, got)
		}
	}
}
