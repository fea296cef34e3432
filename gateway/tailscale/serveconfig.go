package tailscale

import (
	"encoding/json"
	"fmt"
)

type tcpHandler struct {
	HTTPS bool `json:",omitempty"`
	HTTP  bool `json:",omitempty"`
}

type webHandler struct {
	Proxy string `json:",omitempty"`
	Path  string `json:",omitempty"`
	Text  string `json:",omitempty"`
}

type webServer struct {
	Handlers map[string]webHandler
}

func (c serveConfig) section(name string, into any) error {
	if len(c[name]) == 0 {
		return nil
	}
	if err := json.Unmarshal(c[name], into); err != nil {
		return fmt.Errorf("tailscale: serve configuration: %w", err)
	}
	return nil
}

func (c serveConfig) set(name string, v any) error {
	raw, err := json.Marshal(v)
	c[name] = raw
	return err
}

func (c serveConfig) load() (tcp map[string]json.RawMessage, web map[string]webServer, funnel map[string]bool, err error) {
	tcp, web, funnel = map[string]json.RawMessage{}, map[string]webServer{}, map[string]bool{}
	if err = c.section("TCP", &tcp); err == nil {
		if err = c.section("Web", &web); err == nil {
			err = c.section("AllowFunnel", &funnel)
		}
	}
	return tcp, web, funnel, err
}

func (c serveConfig) store(tcp map[string]json.RawMessage, web map[string]webServer, funnel map[string]bool) error {
	for name, v := range map[string]any{"TCP": tcp, "Web": web, "AllowFunnel": funnel} {
		if err := c.set(name, v); err != nil {
			return err
		}
	}
	return nil
}

func (c serveConfig) publish(hp, target string, public bool) error {
	tcp, web, funnel, err := c.load()
	if err != nil {
		return err
	}
	if h, ok := web[hp].Handlers["/"]; ok && h.Proxy != target {
		return fmt.Errorf("tailscale already serves something else at %s: remove it with tailscale serve reset, or turn gateway.tailscale.mode off", hp)
	}
	var have tcpHandler
	if raw, ok := tcp["443"]; ok {
		if err := json.Unmarshal(raw, &have); err != nil || !have.HTTPS {
			return fmt.Errorf("tailscale already uses port 443 for something else: remove it with tailscale serve reset")
		}
	}
	if tcp["443"], err = json.Marshal(tcpHandler{HTTPS: true}); err != nil {
		return err
	}
	if web[hp].Handlers == nil {
		web[hp] = webServer{Handlers: map[string]webHandler{}}
	}
	web[hp].Handlers["/"] = webHandler{Proxy: target}
	if public {
		funnel[hp] = true
	} else {
		delete(funnel, hp)
	}
	return c.store(tcp, web, funnel)
}

func (c serveConfig) withdraw(hp, target string) error {
	tcp, web, funnel, err := c.load()
	if err != nil {
		return err
	}
	if web[hp].Handlers["/"].Proxy != target {
		return nil
	}
	delete(web[hp].Handlers, "/")
	if len(web[hp].Handlers) == 0 {
		delete(web, hp)
		delete(tcp, "443")
		delete(funnel, hp)
	}
	return c.store(tcp, web, funnel)
}
