package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/client"
)

// dockerfile builds the default image where a registry can be reached.
func dockerfile() string {
	return "FROM debian:bookworm-slim\n" +
		"RUN apt-get update && apt-get install -y --no-install-recommends " + strings.Join(Packages(), " ") +
		" && rm -rf /var/lib/apt/lists/* && find / -xdev -perm /6000 -type f -exec chmod a-s {} + && mkdir -p /workspace /agent /.chitin\n" +
		"WORKDIR /\n"
}

func (m Maker) fromRegistry(ctx context.Context, api *client.Client, progress func(string)) error {
	return Build(ctx, api, dockerfile(), m.Name(), progress)
}

// Build makes an image from the text of a Dockerfile, without a context: COPY
// and ADD of local files find nothing.
func Build(ctx context.Context, api *client.Client, text, name string, progress func(string)) error {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	err := tw.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(text)), ModTime: stamp})
	if err == nil {
		_, err = io.WriteString(tw, text)
	}
	if err = errors.Join(err, tw.Close()); err != nil {
		return err
	}
	res, err := api.ImageBuild(ctx, &b, client.ImageBuildOptions{Tags: []string{name}, Remove: true, ForceRemove: true,
		Labels: map[string]string{LabelMark: "1", LabelSource: "dockerfile"}})
	if err != nil {
		return fmt.Errorf("build the image: %w", err)
	}
	defer res.Body.Close()
	dec := json.NewDecoder(io.LimitReader(res.Body, 64<<20))
	for {
		var line struct{ Stream, Error string }
		if err := dec.Decode(&line); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("build the image: %w", err)
		}
		if line.Error != "" {
			return fmt.Errorf("build the image: %s", line.Error)
		}
		if s := strings.TrimSpace(line.Stream); strings.HasPrefix(s, "Step") {
			progress(s)
		}
	}
}
