package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// deb is one fetched package.
type deb struct{ path, name string }

func names(debs []deb) []string {
	out := make([]string, len(debs))
	for i, d := range debs {
		out[i] = d.name
	}
	return out
}

// fetch downloads the packages and everything they depend on. apt works in a
// world of its own below dir: it installs nothing, needs no rights, and takes
// only what the machine's configured keys have signed.
func fetch(ctx context.Context, dir string, pkgs []string, progress func(string)) ([]deb, error) {
	for _, p := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(p); err != nil {
			return nil, fmt.Errorf("%s is not here", p)
		}
	}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	status := filepath.Join(dir, "status")
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		return nil, err
	}
	// apt gives root's downloads to a user that must reach the directory.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	opts := []string{"-o", "Dir::State=" + filepath.Join(dir, "state"), "-o", "Dir::State::status=" + status,
		"-o", "Dir::Cache=" + filepath.Join(dir, "cache"), "-o", "Debug::NoLocking=1", "-o", "Acquire::Languages=none",
		"-o", "APT::Sandbox::User=", "-o", "Acquire::AllowInsecureRepositories=false", "-o", "APT::Get::AllowUnauthenticated=false",
		"-o", "APT::Install-Recommends=false", "-o", "Acquire::Retries=2", "-q"}
	progress("reading the package lists")
	upErr := run(ctx, "apt-get", append(slices.Clone(opts), "update")...)
	progress("fetching packages")
	args := append(slices.Clone(opts), "-y", "--download-only", "install")
	if err := run(ctx, "apt-get", append(args, pkgs...)...); err != nil {
		return nil, errors.Join(upErr, err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "cache/archives/*.deb"))
	if err != nil || len(paths) == 0 {
		return nil, errors.New("apt fetched nothing")
	}
	slices.Sort(paths)
	out := make([]deb, len(paths))
	for i, p := range paths {
		base := strings.TrimSuffix(filepath.Base(p), ".deb")
		name, rest, _ := strings.Cut(base, "_")
		version, _, _ := strings.Cut(rest, "_")
		out[i] = deb{path: p, name: name + "=" + strings.ReplaceAll(version, "%3a", ":")}
	}
	return out, nil
}

// run runs a helper with a small environment and returns the end of what it
// said when it fails.
func run(ctx context.Context, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	for _, k := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		if v := os.Getenv(k); v != "" {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		tail := bytes.TrimSpace(out)
		if len(tail) > 400 {
			tail = tail[len(tail)-400:]
		}
		return fmt.Errorf("%s: %w: %s", name, err, tail)
	}
	return nil
}
