package probe

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/chitin-sh/chitin/audit"
)

const maxAnswer = 16 << 20

// Engine speaks the Docker Engine API over its socket, read only.
type Engine struct {
	endpoint string
	client   *http.Client
	mode     uint32
	tls      bool
}

// NewEngine finds the engine of $DOCKER_HOST or the usual socket; ok is false
// when there is none.
func NewEngine(getenv func(string) string) (*Engine, bool) {
	host := getenv("DOCKER_HOST")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	e := &Engine{endpoint: host}
	scheme, addr, ok := strings.Cut(host, "://")
	network := "tcp"
	switch {
	case !ok:
		return nil, false
	case scheme == "unix":
		st, err := os.Stat(addr)
		if err != nil {
			return nil, false
		}
		network, e.mode = "unix", uint32(st.Mode().Perm())
	case scheme == "tcp" || scheme == "http" || scheme == "https":
		e.tls = scheme == "https" || getenv("DOCKER_TLS_VERIFY") != ""
	default:
		return nil, false // ssh and others need a program
	}
	e.client = &http.Client{Timeout: wait, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, strings.TrimSuffix(addr, "/"))
		},
	}}
	return e, true
}

func (e *Engine) get(ctx context.Context, path string, into any) error {
	scheme := "http"
	if e.tls {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://engine"+path, nil)
	if err != nil {
		return err
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("engine answered %s", resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}

// Info asks what the engine is.
func (e *Engine) Info(ctx context.Context) (audit.EngineInfo, error) {
	var info struct {
		ServerVersion, KernelVersion, CgroupVersion, CgroupDriver, DefaultRuntime string
		SecurityOptions                                                           []string
		MemoryLimit, PidsLimit, LiveRestoreEnabled, ExperimentalBuild             bool
		CPUCfsQuota                                                               bool `json:"CpuCfsQuota"`
		Runtimes                                                                  map[string]struct{ Path string }
		RegistryConfig                                                            struct{ InsecureRegistryCIDRs []string }
	}
	if err := e.get(ctx, "/info", &info); err != nil {
		return audit.EngineInfo{}, err
	}
	out := audit.EngineInfo{
		Endpoint: e.endpoint, SocketMode: e.mode, TLS: e.tls, Version: info.ServerVersion, Kernel: info.KernelVersion,
		CgroupVersion: info.CgroupVersion, CgroupDriver: info.CgroupDriver, DefaultRuntime: info.DefaultRuntime,
		SecurityOptions: info.SecurityOptions, MemoryLimit: info.MemoryLimit, PidsLimit: info.PidsLimit, CPUCfsQuota: info.CPUCfsQuota,
		LiveRestore: info.LiveRestoreEnabled, Experimental: info.ExperimentalBuild, Runtimes: map[string]string{},
	}
	for name := range info.Runtimes {
		out.Runtimes[name] = ""
	}
	for _, c := range info.RegistryConfig.InsecureRegistryCIDRs {
		if !strings.HasPrefix(c, "127.") && c != "::1/128" {
			out.InsecureRegistries = append(out.InsecureRegistries, c)
		}
	}
	var version struct {
		Components []struct{ Name, Version string }
	}
	if err := e.get(ctx, "/version", &version); err != nil {
		return out, err
	}
	for _, c := range version.Components {
		switch strings.ToLower(c.Name) {
		case "runc":
			out.Runc = c.Version
		case "containerd":
			out.Containerd = c.Version
		}
	}
	return out, nil
}

type listed struct {
	ID    string `json:"Id"`
	Names []string
}

func (e *Engine) list(ctx context.Context, label string) ([]listed, error) {
	filter, err := json.Marshal(map[string][]string{"label": {label}})
	if err != nil {
		return nil, err
	}
	var out []listed
	err = e.get(ctx, "/containers/json?all=1&limit=500&filters="+url.QueryEscape(string(filter)), &out)
	return out, err
}

// Containers inspects every container with the label.
func (e *Engine) Containers(ctx context.Context, label string) ([]audit.Container, error) {
	ids, err := e.list(ctx, label)
	if err != nil {
		return nil, err
	}
	var out []audit.Container
	var errs []error
	for _, l := range ids {
		c, err := e.inspect(ctx, l.ID)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, c)
	}
	return out, errors.Join(errs...)
}
