package doctorcmd

import (
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/mcpclient/hub"
)

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		list         []hub.Status
		status, part string
	}{
		"fine":    {[]hub.Status{{Server: "a", State: "ready"}, {Server: "b", State: "idle"}}, "ok", "2 for this tenant, 1 running"},
		"waiting": {[]hub.Status{{Server: "a", State: "ready", Quarantined: 3}}, "warn", "3 tools wait"},
		"down":    {[]hub.Status{{Server: "a", State: "down", Error: "it ended\x1b[2J"}}, "warn", `a (it ended\x1b[2J)`},
	} {
		r := judge(Result{Status: "ok"}, c.list)
		if r.Status != c.status || !strings.Contains(r.Detail, c.part) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
