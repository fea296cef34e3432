package docker

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/egress"
	supclient "github.com/chitin-sh/chitin/sandbox/supervisor/client"
)

// wayOut is the filtering proxy of one box; the zero value is none.
type wayOut struct {
	once sync.Once
	l    net.Listener
	dir  *os.File
}

// openEgress serves a box whose network is egress.
func openEgress(r sandbox.Request) (*wayOut, error) {
	w := &wayOut{}
	if r.Spec.Network != "egress" {
		return w, nil
	}
	d, err := os.Open(filepath.Join(r.Dir, ctlName))
	if err != nil {
		return nil, fmt.Errorf("control directory: %w", err)
	}
	l, err := supclient.ListenIn(d, egressName)
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	w.l, w.dir = l, d
	go egress.Serve(l, egress.Policy{Allow: r.Spec.Egress})
	return w, nil
}

// Close ends the way out.
func (w *wayOut) Close() {
	w.once.Do(func() {
		if w.l != nil {
			_ = w.l.Close()
			_ = w.dir.Close()
		}
	})
}
