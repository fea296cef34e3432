package docker

import (
	"context"

	"github.com/moby/moby/client"
)

type testImage struct{}

func (testImage) Name() string { return "chitin-dev:1" }
func (testImage) Make(ctx context.Context, api *client.Client, progress func(string)) error {
	return nil
}
