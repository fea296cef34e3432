package sandboxcmd

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/sandbox"
	"github.com/chitin-sh/chitin/sandbox/docker"
	"github.com/chitin-sh/chitin/sandbox/image"
)

// images runs image commands against a real engine.
type images struct {
	t     *testing.T
	state string
	e     *docker.Engine
}

func realEngine(t *testing.T) *images {
	t.Helper()
	x := &images{t: t, state: t.TempDir()}
	x.e = docker.New(docker.Options{StateDir: x.state, Image: image.Maker{}})
	if st := x.e.Status(t.Context()); !st.Available {
		if os.Getenv("CI") == "true" || os.Getenv("CHITIN_REQUIRE_DOCKER") == "1" {
			t.Fatalf("no engine answers: %s", st.Reason)
		}
		t.Skipf("no engine answers: %s", st.Reason)
	}
	if err := x.e.Ready(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *images) run(args ...string) (string, error) {
	var out bytes.Buffer
	env := &cliutil.Env{In: strings.NewReader(""), Out: &out, Err: &out, Getenv: os.Getenv, State: x.state}
	cmd := New(env, Deps{Config: func(string) (sandbox.Config, error) { return sandbox.Config{}, nil },
		Backends: func(string) []sandbox.Backend { return []sandbox.Backend{x.e} }})
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(context.Background())
	return strings.Join(strings.Fields(out.String()), " "), err
}

// forget removes an image after the test.
func (x *images) forget(name string) {
	x.t.Cleanup(func() {
		if api, err := x.e.API(context.Background()); err == nil {
			_, _ = api.ImageRemove(context.Background(), name, client.ImageRemoveOptions{Force: true, PruneChildren: true})
		}
	})
}

// TestImageFromDockerfile builds on the default image, which needs no
// registry and no bridge of the engine, and pins the outcome.
func TestImageFromDockerfile(t *testing.T) {
	x := realEngine(t)
	name := fmt.Sprintf("chitin-test-dockerfile:%d", os.Getpid())
	x.forget(name)
	path := filepath.Join(x.state, "chitin.yml")
	if err := os.WriteFile(path, []byte("# mine\nagents:\n  defaults:\n    sandbox:\n      scope: agent # kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(file, []byte("FROM "+image.Maker{}.Name()+"\nENV BUILT=here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := x.run("image", "build", "--dockerfile", file, "--name", name, "--pin")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := x.e.ImageOf(t.Context(), name)
	if err != nil || info.Source != "dockerfile" || !strings.HasPrefix(info.ID, "sha256:") {
		t.Fatalf("%+v %v", info, err)
	}
	written, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(written), "# mine") || !strings.Contains(string(written), "scope: agent # kept") {
		t.Errorf("the comments are gone: %s, %v", written, err)
	}
	l, err := config.Load(path)
	if err != nil || l.SandboxOf("main").Docker.Image != info.ID {
		t.Errorf("pinned %s, %v; want %s", written, err, info.ID)
	}
	if out, err := x.run("image", "show", name); err != nil || !strings.Contains(out, "package bash ") || !strings.Contains(out, info.ID) {
		t.Errorf("show: %v %.300s", err, out)
	}
	if out, err := x.run("image", "list"); err != nil || !strings.Contains(out, name) {
		t.Errorf("list: %v %s", err, out)
	}
}

func TestImageFromTarball(t *testing.T) {
	x := realEngine(t)
	name := fmt.Sprintf("chitin-test-tarball:%d", os.Getpid())
	x.forget(name)
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	db := "Package: one\nStatus: install ok installed\nVersion: 1.2-3\n\nPackage: two\nStatus: deinstall ok config-files\nVersion: 9\n"
	err := tw.WriteHeader(&tar.Header{Name: "var/lib/dpkg/status", Mode: 0o644, Size: int64(len(db))})
	if _, werr := tw.Write([]byte(db)); errors.Join(err, werr, tw.Close()) != nil {
		t.Fatal(err, werr)
	}
	file := filepath.Join(t.TempDir(), "root.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := x.run("image", "build", "--tarball", file); err == nil {
		t.Errorf("an image without a name was made: %s", out)
	}
	if out, err := x.run("image", "build", "--tarball", file, "--name", name); err != nil || !strings.Contains(out, "from tarball") {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := x.e.ImageOf(t.Context(), name)
	if err != nil || len(info.Packages) != 1 || info.Packages[0] != "one=1.2-3" {
		t.Errorf("%+v %v", info, err)
	}
	if out, err := x.run("image", "build", "--tarball", filepath.Join(t.TempDir(), "absent"), "--name", name); err == nil {
		t.Errorf("built from nothing: %s", out)
	}
}
