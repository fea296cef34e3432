package docker

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// databases are where distributions keep the list of what is installed.
func databases() []string { return []string{"/var/lib/dpkg/status", "/lib/apk/db/installed"} }

// maxDatabase bounds how much of one is read.
const maxDatabase = 32 << 20

// installed lists the packages that an image's own database names, from a
// container that is never started. An image without one has none to list.
func (e *Engine) installed(ctx context.Context, api *client.Client, image string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	made, err := api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config:     &container.Config{Image: image, Entrypoint: []string{"/never-started"}, NetworkDisabled: true, Labels: map[string]string{labelMark: "1", labelState: e.state}},
		HostConfig: &container.HostConfig{NetworkMode: "none", CapDrop: []string{"ALL"}, ReadonlyRootfs: true},
	})
	if err != nil {
		return nil, e.unavailable("look into the image", err)
	}
	defer func() { _ = e.remove(api, made.ID) }()
	for _, db := range databases() {
		res, err := api.CopyFromContainer(ctx, made.ID, client.CopyFromContainerOptions{SourcePath: db})
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, e.unavailable("look into the image", err)
		}
		list, err := readDatabase(res.Content)
		_ = res.Content.Close()
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
	return nil, nil
}

func readDatabase(r io.Reader) ([]string, error) {
	tr := tar.NewReader(io.LimitReader(r, maxDatabase))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg {
			return parseDatabase(tr), nil
		}
	}
}

// parseDatabase reads name=version pairs out of dpkg's or apk's database.
func parseDatabase(r io.Reader) []string {
	var out []string
	var name, version string
	gone := false
	flush := func() {
		if name != "" && version != "" && !gone {
			out = append(out, name+"="+version)
		}
		name, version, gone = "", "", false
	}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), 1<<20)
	for sc.Scan() {
		line := sc.Text()
		switch k, v, _ := strings.Cut(line, ":"); {
		case line == "":
			flush()
		case k == "Package", k == "P":
			name = strings.TrimSpace(v)
		case k == "Version", k == "V":
			version = strings.TrimSpace(v)
		case k == "Status":
			gone = !strings.HasSuffix(v, " installed")
		}
	}
	flush()
	slices.Sort(out)
	return out
}
