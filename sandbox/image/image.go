// Package image makes the image that boxes run in: from Debian's packages,
// fetched and verified by the machine's own apt without installing anything
// or being root; from a Dockerfile where a registry can be reached; or from a
// tarball. What is in an image is written on it.
package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/moby/moby/client"
)

// format changes when the same packages would make another image.
const format = "1"

// Labels of an image that chitin made.
const (
	LabelMark     = "chitin.image"
	LabelSource   = "chitin.image.source"
	LabelPackages = "chitin.image.packages"
)

// Packages are what an agent's commands may expect; dependencies come along.
func Packages() []string {
	return []string{"base-files", "bash", "bzip2", "ca-certificates", "coreutils", "dash", "diffutils", "file", "findutils", "git", "grep",
		"gzip", "hostname", "jq", "less", "libc-bin", "mawk", "mount", "ncurses-base", "patch", "perl-base", "procps", "sed",
		"tar", "util-linux", "xz-utils"}
}

// Maker makes the default image. It satisfies the engine backends' ImageMaker.
type Maker struct {
	// TempDir holds the image while it is made; "" is the system's.
	TempDir string
}

// Name is the reference of the default image: another recipe is another name.
func (Maker) Name() string {
	sum := sha256.Sum256([]byte(format + "\x00" + strings.Join(Packages(), " ")))
	return "chitin-sandbox:" + hex.EncodeToString(sum[:6])
}

// Make tries each way of making the default image until one works.
func (m Maker) Make(ctx context.Context, api *client.Client, progress func(string)) error {
	ways := []struct {
		name string
		make func(context.Context, *client.Client, func(string)) error
	}{{"Debian packages", m.fromPackages}, {"a registry", m.fromRegistry}}
	var errs []error
	for _, w := range ways {
		progress("making the sandbox image " + m.Name() + " from " + w.name)
		err := w.make(ctx, api, progress)
		if err == nil {
			progress("made " + m.Name())
			return nil
		}
		errs = append(errs, fmt.Errorf("from %s: %w", w.name, err))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (m Maker) fromPackages(ctx context.Context, api *client.Client, progress func(string)) error {
	dir, err := os.MkdirTemp(m.TempDir, "chitin-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	debs, err := fetch(ctx, dir, Packages(), progress)
	if err != nil {
		return err
	}
	progress(fmt.Sprintf("unpacking %d packages", len(debs)))
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeLayer(ctx, w, debs)) }()
	defer r.Close()
	return load(ctx, api, r, m.Name(), "packages", names(debs))
}

// Import makes an image from a tarball of a root file system.
func Import(ctx context.Context, api *client.Client, tarball io.Reader, name string) error {
	return load(ctx, api, tarball, name, "tarball", nil)
}

func load(ctx context.Context, api *client.Client, r io.Reader, name, source string, pkgs []string) error {
	repo, tag, _ := strings.Cut(name, ":")
	if tag == "" {
		tag = "latest"
	}
	changes := []string{"LABEL " + LabelMark + "=1", "LABEL " + LabelSource + "=" + source, "WORKDIR /"}
	if len(pkgs) > 0 {
		changes = append(changes, `LABEL `+LabelPackages+`="`+strings.Join(pkgs, " ")+`"`)
	}
	res, err := api.ImageImport(ctx, client.ImageImportSource{Source: r, SourceName: "-"}, repo, client.ImageImportOptions{Tag: tag, Changes: changes})
	if err != nil {
		return fmt.Errorf("import the image: %w", err)
	}
	defer res.Close()
	b, err := io.ReadAll(io.LimitReader(res, 1<<20))
	if err != nil {
		return fmt.Errorf("import the image: %w", err)
	}
	if i := strings.Index(string(b), `"error"`); i >= 0 {
		return fmt.Errorf("import the image: %s", strings.TrimSpace(string(b[i:min(len(b), i+300)])))
	}
	return nil
}
