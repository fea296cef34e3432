// Package doctorcmd is "chitin doctor": is everything here that a gateway
// needs, and what to type where it is not.
package doctorcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/internal/cli/cliutil"
	"github.com/chitin-sh/chitin/internal/cli/gatewayclient"
	"github.com/chitin-sh/chitin/journal"
	"github.com/spf13/cobra"
)

// Result is one look.
type Result struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warn, fail
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Probe is one thing to look at.
type Probe func(ctx context.Context, env *cliutil.Env) Result

// New is the command; more probes come from the rooms.
func New(env *cliutil.Env, more ...Probe) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Check that everything a gateway needs is here",
		Long:    "Exits 0 when nothing is broken, 3 otherwise. Warnings say what works only in part.",
		Example: "  chitin doctor\n  chitin doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 15*time.Second)
			defer cancel()
			var rs []Result
			for _, p := range append([]Probe{state, configuration, journalChain, engine, running, mcpServers}, more...) {
				rs = append(rs, p(ctx, env))
			}
			return report(env, rs, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the results as JSON")
	return cmd
}

func report(env *cliutil.Env, rs []Result, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(env.Out).Encode(rs); err != nil {
			return err
		}
	}
	failed := false
	for _, r := range rs {
		failed = failed || r.Status == "fail"
		if asJSON {
			continue
		}
		_, _ = fmt.Fprintf(env.Out, "%-5s %-14s %s\n", r.Status, r.Name, cliutil.Plain(r.Detail))
		if r.Fix != "" {
			_, _ = fmt.Fprintf(env.Out, "      %-14s try: %s\n", "", r.Fix)
		}
	}
	if failed {
		return cliutil.Exit(cliutil.ExitFound)
	}
	return nil
}

func state(_ context.Context, env *cliutil.Env) Result {
	r := Result{Name: "state"}
	dir, err := env.StateDir()
	if err == nil {
		r.Detail = dir
		var st os.FileInfo
		if st, err = os.Stat(dir); err == nil && st.Mode().Perm()&0o077 != 0 {
			r.Status, r.Detail, r.Fix = "fail", dir+" can be entered by others", "chmod 700 "+dir
			return r
		}
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.Status, r.Detail, r.Fix = "warn", dir+" is not there yet", "chitin serve makes it"
	case err != nil:
		r.Status, r.Detail = "fail", err.Error()
	default:
		r.Status = "ok"
	}
	return r
}

func configuration(_ context.Context, env *cliutil.Env) Result {
	r := Result{Name: "configuration", Status: "ok"}
	path, err := env.ConfigPath()
	if err == nil {
		r.Detail = path
		_, err = config.Load(path)
	}
	if err != nil {
		r.Status, r.Detail, r.Fix = "fail", "it has mistakes", "chitin config validate"
	}
	return r
}

func journalChain(_ context.Context, env *cliutil.Env) Result {
	r := Result{Name: "journal", Status: "ok"}
	dir, err := env.StateDir()
	if err != nil {
		return Result{Name: r.Name, Status: "fail", Detail: err.Error()}
	}
	n, err := journal.Verify(filepath.Join(dir, journal.DirName))
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.Detail = "none yet"
	case err != nil:
		r.Status, r.Detail, r.Fix = "fail", err.Error(), "chitin journal verify"
	default:
		r.Detail = fmt.Sprintf("%d records, the chain holds", n)
	}
	return r
}

// engineSocket is where Debian's Docker Engine listens.
const engineSocket = "/var/run/docker.sock"

func engine(ctx context.Context, env *cliutil.Env) Result {
	r := Result{Name: "docker", Status: "ok", Detail: "the engine answers"}
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", engineSocket)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/_ping", nil)
	if err == nil {
		var resp *http.Response
		if resp, err = c.Do(req); err == nil {
			err = resp.Body.Close()
		}
	}
	if err != nil {
		r.Status, r.Detail, r.Fix = "warn", "no Docker Engine answers; weaker backends are used where allowed", "apt-get install docker.io (as root)"
	}
	return r
}

func running(ctx context.Context, env *cliutil.Env) Result {
	r := Result{Name: "gateway", Status: "ok"}
	c, err := gatewayclient.New(env)
	if err == nil {
		r.Detail = "answers at " + c.Base
		_, _, err = c.Get(ctx, "/health")
	}
	if err != nil {
		r.Status, r.Detail, r.Fix = "warn", "none is running", "chitin serve"
	}
	return r
}
