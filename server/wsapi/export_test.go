package wsapi

import (
	"encoding/json"
	"slices"
	"testing"
)

// CheckFrame parses a frame as the first one of a connection and checks what
// must hold of anything that is accepted.
func CheckFrame(t *testing.T, data []byte) {
	t.Helper()
	r, err := parseRequest(data)
	if err != nil {
		return
	}
	var generic map[string]any
	if json.Unmarshal(data, &generic) != nil {
		t.Fatalf("accepted %q, which is not an object", data)
	}
	for k := range generic {
		if !slices.Contains([]string{"type", "id", "method", "params"}, k) {
			t.Fatalf("accepted the unknown field %q", k)
		}
	}
	if generic["type"] != "req" || generic["method"] != r.Method {
		t.Fatalf("read %+v from %q", r, data)
	}
	if p, werr := parseConnect(r); werr == nil && (!slices.Contains(clientIDs, p.Client.ID) || r.Method != "connect") {
		t.Fatalf("accepted the client %q", p.Client.ID)
	}
}
