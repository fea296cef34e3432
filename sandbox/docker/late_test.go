package docker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// An engine finishes a container for somebody who has hung up: it must not stay.
func TestLateContainerIsRemoved(t *testing.T) {
	asked, removed := make(chan struct{}), make(chan string, 1)
	var hung atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/containers/create"):
			close(asked)
			select {
			case <-r.Context().Done():
				hung.Store(true)
			case <-time.After(200 * time.Millisecond):
			}
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"Id":"late"}`))
		case r.Method == http.MethodDelete:
			removed <- r.URL.Path
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = w.Write([]byte(`{}`))
		}
	}))
	defer srv.Close()
	api, err := client.New(client.WithHost("tcp://"+srv.Listener.Addr().(*net.TCPAddr).String()), client.WithAPIVersion("1.41"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = api.Close() }()
	e := New(Options{StateDir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	o := client.ContainerCreateOptions{Config: &container.Config{Image: "i"}, HostConfig: &container.HostConfig{}}
	if id, err := e.order(ctx, api, o); !errors.Is(err, context.Canceled) || id != "" {
		t.Errorf("%q %v", id, err)
	}
	select {
	case path := <-removed:
		if !strings.HasSuffix(path, "/containers/late") {
			t.Error(path)
		}
	case <-time.After(5 * time.Second):
		t.Error("the container stays")
	}
	if hung.Load() {
		t.Error("the engine was left before it answered")
	}
}
