package sandboxcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/internal/yamlconf"
	"github.com/chitin-sh/chitin/sandbox/docker"
	"github.com/chitin-sh/chitin/sandbox/image"
)

// engine finds the container engine to keep images in.
func (c *command) engine() (*docker.Engine, error) {
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"docker", "podman"} {
		if e, ok := m.BackendNamed(name).(*docker.Engine); ok {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			st := e.Status(ctx)
			cancel()
			if st.Available {
				return e, nil
			}
		}
	}
	return nil, cliutil.WithHint(fmt.Errorf("no container engine answers here"), "start one, as root: apt-get install docker.io")
}

func (c *command) image() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "image",
		Short:   "Make and see the images that sandboxes run in",
		Long:    "The default image holds a shell and the usual tools, no set-uid file and nothing of this machine.",
		Example: "  chitin sandbox image build\n  chitin sandbox image list\n  chitin sandbox image show",
	}
	cmd.AddCommand(c.imageBuild(), c.imageList(), c.imageShow())
	return cmd
}

func (c *command) imageBuild() *cobra.Command {
	var dockerfile, tarball, name string
	var pin bool
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Make the default image, or one from a Dockerfile or a tarball",
		Long: "Without flags the default image is made: from Debian's packages where apt can fetch them, else from\n" +
			"a registry. Prints the reference to pin in docker.image.",
		Example: "  chitin sandbox image build\n  chitin sandbox image build --tarball rootfs.tar --name mine:1\n  chitin sandbox image build --dockerfile Dockerfile --name mine:1 --pin",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := c.engine()
			if err != nil {
				return err
			}
			api, err := e.API(cmd.Context())
			if err != nil {
				return err
			}
			say := func(s string) { _, _ = fmt.Fprintln(c.env.Err, "chitin:", s) }
			ctx, cancel := context.WithTimeout(cmd.Context(), 15*time.Minute)
			defer cancel()
			if (dockerfile != "" || tarball != "") && name == "" {
				return cliutil.Usage("an image of your own needs a name", "chitin sandbox image build --tarball FILE --name mine:1")
			}
			switch {
			case dockerfile != "":
				text, rerr := os.ReadFile(dockerfile)
				if rerr != nil {
					return cliutil.WithHint(rerr, "name a readable Dockerfile")
				}
				err = image.Build(ctx, api, string(text), name, say)
			case tarball != "":
				f, rerr := os.Open(tarball)
				if rerr != nil {
					return cliutil.WithHint(rerr, "name a readable tarball of a root file system")
				}
				defer f.Close()
				err = image.Import(ctx, api, f, name)
			default:
				name = image.Maker{}.Name()
				err = image.Maker{}.Make(ctx, api, say)
			}
			if err != nil {
				return cliutil.WithHint(err, "import a root file system instead: chitin sandbox image build --tarball FILE --name NAME")
			}
			if err := c.showImage(cmd.Context(), e, name, false); err != nil || !pin {
				return err
			}
			return c.pin(cmd.Context(), e, name)
		},
	}
	cmd.Flags().BoolVar(&pin, "pin", false, "write the image's digest into the configuration as docker.image")
	cmd.Flags().StringVar(&dockerfile, "dockerfile", "", "build from this Dockerfile; a FROM that is not here needs a registry")
	cmd.Flags().StringVar(&tarball, "tarball", "", "import this tarball of a root file system")
	cmd.Flags().StringVar(&name, "name", "", "name of the image, for --dockerfile and --tarball")
	return cmd
}

// pin writes the exact image into the configuration; comments stay.
func (c *command) pin(ctx context.Context, e *docker.Engine, name string) error {
	i, err := e.ImageOf(ctx, name)
	if err != nil {
		return err
	}
	path, err := c.env.ConfigPath()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return cliutil.WithHint(err, "chitin config validate")
	}
	if data, err = yamlconf.Set(data, pinKey, i.ID); err == nil {
		err = securefile.Write(path, data)
	}
	if err != nil {
		return cliutil.WithHint(fmt.Errorf("pin the image: %w", err), "set "+pinKey+": "+i.ID+" by hand")
	}
	_, _ = fmt.Fprintln(c.env.Err, "chitin: pinned", i.ID, "in", path)
	return nil
}

// pinKey is where the image of every agent is configured.
const pinKey = "agents.defaults.sandbox.docker.image"

func (c *command) imageList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the images that chitin made",
		Long:    "Lists the engine's images that carry chitin's label.",
		Example: "  chitin sandbox image list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := c.engine()
			if err != nil {
				return err
			}
			list, err := e.Images(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(list, func(w io.Writer) {
				for _, i := range list {
					_, _ = fmt.Fprintf(w, "%s\t%s\t%d MiB\t%s\n", i.Name, i.ID, i.Size>>20, i.Source)
				}
				if len(list) == 0 {
					_, _ = fmt.Fprintln(w, "none yet; make one with: chitin sandbox image build")
				}
			})
		},
	}
}

func (c *command) imageShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show [NAME]",
		Short:   "Show what is in an image",
		Long:    "Shows an image's digest, size and the packages it was made from.",
		Example: "  chitin sandbox image show",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := c.engine()
			if err != nil {
				return err
			}
			name := image.Maker{}.Name()
			if len(args) == 1 {
				name = args[0]
			}
			return c.showImage(cmd.Context(), e, name, true)
		},
	}
}

func (c *command) showImage(ctx context.Context, e *docker.Engine, name string, packages bool) error {
	i, err := e.ImageOf(ctx, name)
	if err != nil {
		return cliutil.WithHint(err, "chitin sandbox image build")
	}
	return c.print(i, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "name\t%s\nid\t%s\nsize\t%d MiB\nfrom\t%s\npin\tdocker.image: %s\n", i.Name, i.ID, i.Size>>20, i.Source, i.ID)
		if packages {
			for _, p := range i.Packages {
				_, _ = fmt.Fprintf(w, "package\t%s\n", strings.Replace(p, "=", " ", 1))
			}
		}
	})
}
