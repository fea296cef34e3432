package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/sandbox"
)

// imageFacts are what matters of an image.
type imageFacts struct {
	id      string
	volumes []string
}

// making is one build that several callers wait for.
type making struct {
	done chan struct{}
	err  error
}

const (
	// imageWait bounds how long a call waits for the default image.
	imageWait = 10 * time.Minute
	pullTime  = 10 * time.Minute
)

// ensureImage returns the exact image for a spec, making the default one when
// it is missing and pulling a named one where a registry can be reached.
func (e *Engine) ensureImage(ctx context.Context, api *client.Client, s sandbox.Spec, progress func(string)) (string, error) {
	ref := s.Image
	if ref == "" {
		if e.o.Image == nil {
			return "", fmt.Errorf("%w: no image is configured: set docker.image", sandbox.ErrUnavailable)
		}
		ref = e.o.Image.Name()
	}
	e.mu.Lock()
	f, ok := e.images[ref]
	e.mu.Unlock()
	if !ok {
		var err error
		if f, err = e.findImage(ctx, api, ref, s.Image == "", progress); err != nil {
			return "", err
		}
		e.mu.Lock()
		e.images[ref] = f
		e.mu.Unlock()
	}
	for _, v := range f.volumes {
		if !covered(v, s) {
			return "", fmt.Errorf("%w: image %s declares the volume %s, which would be unbounded disk of the host; use an image without volumes", sandbox.ErrRefused, ref, v)
		}
	}
	return f.id, nil
}

func covered(vol string, s sandbox.Spec) bool {
	return slices.ContainsFunc(s.Tmpfs, func(t sandbox.Tmpfs) bool { return t.Path == vol }) ||
		slices.ContainsFunc(s.Mounts, func(m sandbox.Mount) bool { return m.Target == vol })
}

func (e *Engine) findImage(ctx context.Context, api *client.Client, ref string, isDefault bool, progress func(string)) (imageFacts, error) {
	f, err := inspectImage(ctx, api, ref)
	if err == nil || !isNotFound(err) {
		return f, e.wrapImage(err, ref)
	}
	if err := e.make(ctx, api, ref, isDefault, progress); err != nil {
		return f, err
	}
	f, err = inspectImage(ctx, api, ref)
	return f, e.wrapImage(err, ref)
}

func (e *Engine) wrapImage(err error, ref string) error {
	if err == nil {
		return nil
	}
	return e.unavailable("look for image "+ref, err)
}

func inspectImage(ctx context.Context, api *client.Client, ref string) (imageFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	res, err := api.ImageInspect(ctx, ref)
	if err != nil {
		return imageFacts{}, err
	}
	f := imageFacts{id: res.ID}
	if res.Config != nil {
		f.volumes = slices.Sorted(maps.Keys(res.Config.Volumes))
	}
	return f, nil
}

// make builds or pulls once, however many callers want it.
func (e *Engine) make(ctx context.Context, api *client.Client, ref string, isDefault bool, progress func(string)) error {
	if progress == nil {
		progress = func(string) {}
	}
	e.mu.Lock()
	m := e.making[ref]
	if m == nil {
		m = &making{done: make(chan struct{})}
		e.making[ref] = m
		go func() {
			bctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), imageWait)
			defer cancel()
			if isDefault {
				m.err = e.o.Image.Make(bctx, api, progress)
			} else {
				m.err = pull(bctx, api, ref, progress)
			}
			e.mu.Lock()
			delete(e.making, ref)
			e.mu.Unlock()
			close(m.done)
		}()
	}
	e.mu.Unlock()
	select {
	case <-m.done:
		if m.err != nil {
			return fmt.Errorf("%w: image %s is not here and could not be made: %w; try: chitin sandbox image build", sandbox.ErrUnavailable, ref, m.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: image %s is still being made: %w", sandbox.ErrUnavailable, ref, ctx.Err())
	}
}

func pull(ctx context.Context, api *client.Client, ref string, progress func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	progress("pulling " + ref)
	res, err := api.ImagePull(ctx, ref, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	defer res.Close()
	return res.Wait(ctx)
}

// Ready reports whether the default image is here, and makes it when it is
// not: what a gateway does in the background at its start.
func (e *Engine) Ready(ctx context.Context, progress func(string)) error {
	api, err := e.connect(ctx)
	if err != nil {
		return err
	}
	_, err = e.ensureImage(ctx, api, sandbox.Spec{}, progress)
	return err
}

// sortedKeys lists a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
