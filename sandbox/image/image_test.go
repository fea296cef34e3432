package image

import (
	"context"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

func TestMakeTmp(t *testing.T) {
	api, err := client.New(client.WithHost("unix:///var/run/docker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	t0 := time.Now()
	if err := (Maker{}).Make(context.Background(), api, func(s string) { t.Log(time.Since(t0), s) }); err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(t0))
}
