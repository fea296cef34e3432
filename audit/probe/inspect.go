package probe

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/audit"
)

type inspected struct {
	ID      string `json:"Id"`
	Name    string
	Created time.Time
	Image   string
	State   struct{ Status string }
	Config  struct {
		Image, User string
		Labels      map[string]string
		Env         []string
	}
	HostConfig struct {
		Privileged, ReadonlyRootfs                              bool
		CapAdd, CapDrop, SecurityOpt                            []string
		NetworkMode, PidMode, IpcMode, UsernsMode, CgroupnsMode string
		Runtime                                                 string
		Memory                                                  int64
		NanoCPUs                                                int64 `json:"NanoCpus"`
		CPUQuota                                                int64 `json:"CpuQuota"`
		PidsLimit                                               *int64
		RestartPolicy                                           struct{ Name string }
		Devices                                                 []struct{ PathOnHost string }
		PortBindings                                            map[string][]struct{ HostIP, HostPort string }
	}
	Mounts []struct {
		Type, Source, Destination string
		RW                        bool
	}
	NetworkSettings struct {
		Ports map[string][]struct{ HostIP, HostPort string }
	}
}

func (e *Engine) inspect(ctx context.Context, id string) (audit.Container, error) {
	var in inspected
	if err := e.get(ctx, "/containers/"+url.PathEscape(id)+"/json", &in); err != nil {
		return audit.Container{}, err
	}
	h := in.HostConfig
	c := audit.Container{
		ID: in.ID, Name: strings.TrimPrefix(in.Name, "/"), Image: in.Config.Image, User: in.Config.User, State: in.State.Status,
		Labels: in.Config.Labels, Privileged: h.Privileged, CapAdd: h.CapAdd, CapDrop: h.CapDrop, SecurityOpt: h.SecurityOpt,
		NetworkMode: h.NetworkMode, PidMode: h.PidMode, IpcMode: h.IpcMode, UsernsMode: h.UsernsMode, CgroupnsMode: h.CgroupnsMode,
		ReadonlyRootfs: h.ReadonlyRootfs, Memory: h.Memory, NanoCPUs: h.NanoCPUs, CPUQuota: h.CPUQuota, Env: in.Config.Env,
		Runtime: h.Runtime, RestartPolicy: h.RestartPolicy.Name, Created: in.Created,
	}
	if h.PidsLimit != nil {
		c.PidsLimit = *h.PidsLimit
	}
	for _, d := range h.Devices {
		c.Devices = append(c.Devices, d.PathOnHost)
	}
	for _, m := range in.Mounts {
		c.Mounts = append(c.Mounts, audit.Mount{Source: m.Source, Target: m.Destination, Type: m.Type, ReadWrite: m.RW})
	}
	ports := in.NetworkSettings.Ports
	if len(ports) == 0 {
		ports = h.PortBindings
	}
	for inside, binds := range ports {
		n, _, _ := strings.Cut(inside, "/")
		private, _ := strconv.Atoi(n)
		for _, b := range binds {
			p, _ := strconv.Atoi(b.HostPort)
			c.Ports = append(c.Ports, audit.Port{HostIP: b.HostIP, HostPort: p, Private: private})
		}
	}
	if c.User == "" {
		var img struct{ Config struct{ User string } }
		if e.get(ctx, "/images/"+url.PathEscape(in.Image)+"/json", &img) == nil {
			c.ImageUser = img.Config.User
		}
	}
	return c, nil
}
