package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox/image"
)

// ImageInfo describes one image.
type ImageInfo struct {
	Name     string   `json:"name"`
	ID       string   `json:"id"`
	Size     int64    `json:"size"` // bytes
	Source   string   `json:"source"`
	Packages []string `json:"packages,omitempty"`
}

// API is the engine's client, for making images.
func (e *Engine) API(ctx context.Context) (*client.Client, error) { return e.connect(ctx) }

// Images lists the images that chitin made.
func (e *Engine) Images(ctx context.Context) ([]ImageInfo, error) {
	api, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	f := client.Filters{}
	f.Add("label", image.LabelMark+"=1")
	res, err := api.ImageList(ctx, client.ImageListOptions{Filters: f})
	if err != nil {
		return nil, e.unavailable("list the images", err)
	}
	out := []ImageInfo{}
	for _, i := range res.Items {
		out = append(out, ImageInfo{Name: strings.Join(i.RepoTags, " "), ID: i.ID, Size: i.Size, Source: i.Labels[image.LabelSource]})
	}
	return out, nil
}

// ImageOf describes one image with its packages.
func (e *Engine) ImageOf(ctx context.Context, name string) (ImageInfo, error) {
	api, err := e.connect(ctx)
	if err != nil {
		return ImageInfo{}, err
	}
	if e.stateErr != nil {
		return ImageInfo{}, e.stateErr
	}
	res, err := api.ImageInspect(ctx, name)
	if isNotFound(err) {
		return ImageInfo{}, fmt.Errorf("there is no image %s", name)
	}
	if err != nil {
		return ImageInfo{}, e.unavailable("look at the image", err)
	}
	i := ImageInfo{Name: name, ID: res.ID, Size: res.Size}
	if res.Config != nil {
		i.Source = res.Config.Labels[image.LabelSource]
		i.Packages = strings.Fields(res.Config.Labels[image.LabelPackages])
	}
	if len(i.Packages) == 0 {
		if i.Packages, err = e.installed(ctx, api, res.ID); err != nil {
			return ImageInfo{}, err
		}
	}
	return i, nil
}
