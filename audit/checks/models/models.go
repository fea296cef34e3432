// Package models holds the checks of the language models that agents use:
// small and old ones give in to injected instructions more easily.
package models

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

const layer = audit.LayerExternal

type ref struct {
	id, key string
	agent   view.Agent
	image   bool
}

type refsKey struct{}

// refs lists the models that the defaults and the agents name.
func refs(s *audit.Subject) []ref {
	return audit.Memo(s, refsKey{}, func() []ref {
		alias := map[string]string{}
		s.Root.At("agents.defaults.models").Each(func(id string, n *audit.Node) {
			if a := n.Get("alias").Text(); a != "" {
				alias[strings.ToLower(a)] = id
			}
		})
		var out []ref
		add := func(n *audit.Node, r ref) {
			if id := n.Text(); id != "" {
				if full, ok := alias[strings.ToLower(id)]; ok {
					id = full
				}
				r.id = id
				out = append(out, r)
			}
		}
		section := func(base string, n *audit.Node, a view.Agent) {
			for _, key := range []string{"model", "imageModel"} {
				m, at, img := n.Get(key), base+"."+key, key == "imageModel"
				add(m, ref{key: at, agent: a, image: img})
				add(m.Get("primary"), ref{key: at + ".primary", agent: a, image: img})
				for _, f := range m.Get("fallbacks").Items() {
					add(f, ref{key: at + ".fallbacks", agent: a, image: img})
				}
			}
		}
		section("agents.defaults", s.Root.At("agents.defaults"), view.Agent{Key: "agents.defaults"})
		for _, a := range view.Agents(s) {
			section(a.Key, a.Node, a)
		}
		return out
	})
}

var patterns = sync.OnceValue(func() (p struct{ old, params, claude, gpt, gpt5 *regexp.Regexp }) {
	p.old = regexp.MustCompile(`\bgpt-3\.?5\b|\bclaude-(instant|2)\b|\bgpt-4-(0314|0613)\b`)
	p.params = regexp.MustCompile(`(?:^|[^a-z0-9])[a-z]?(\d+(?:\.\d+)?)b(?:[^a-z0-9]|$)`)
	p.claude = regexp.MustCompile(`\bclaude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2}))?(?:[^0-9]|$)`)
	p.gpt, p.gpt5 = regexp.MustCompile(`\bgpt-`), regexp.MustCompile(`\bgpt-5(?:\b|[.-])`)
	return p
})

// weak says why a model is below the recommended tiers, empty when it is not.
func weak(id string) string {
	id = strings.ToLower(id)
	if strings.Contains(id, "haiku") {
		return "haiku tier"
	}
	if p := patterns(); p.gpt.MatchString(id) && !p.gpt5.MatchString(id) {
		return "below GPT-5"
	}
	if strings.Contains(id, "claude-") {
		m := patterns().claude.FindStringSubmatch(id)
		if m == nil {
			return "below Claude 4.5"
		}
		major, _ := strconv.Atoi(m[1])
		minor, _ := strconv.Atoi(m[2])
		if major >= 10 && len(m[1]) == 2 { // claude-opus-45 is 4.5
			major, minor = major/10, major%10
		}
		if major < 4 || major == 4 && minor < 5 {
			return "below Claude 4.5"
		}
	}
	return ""
}

// billions is the number of parameters in a model's name, 0 without one.
func billions(id string) float64 {
	best := 0.0
	for _, m := range patterns().params.FindAllStringSubmatch(strings.ToLower(id), -1) {
		if v, err := strconv.ParseFloat(m[1], 64); err == nil && v > best {
			best = v
		}
	}
	return best
}

// Checks lists them in the order in which they run.
func Checks() []audit.Check {
	model := func(id string) string { return `{agents:{defaults:{model:{primary:"` + id + `"}}}}` }
	list := func(s *audit.Subject, heading string, why func(string) string) []audit.Hit {
		var lines []string
		key := ""
		for _, r := range refs(s) {
			if w := why(r.id); w != "" {
				lines = append(lines, r.id+" ("+w+") at "+r.key)
				if key == "" {
					key = r.key
				}
			}
		}
		if len(lines) == 0 {
			return nil
		}
		return kit.At(key, "%s", audit.Bullets(heading, lines[:min(12, len(lines))]))
	}
	return []audit.Check{
		{
			ID: "models.legacy", Layer: layer, On: audit.Both, Severity: "warn", Title: "Some configured models look legacy",
			Why: "Old models follow injected instructions far more often.", Remedy: "Use a current model wherever tools can run.", Refs: []string{"CWE-1104", "OWASP-LLM01"},
			Run: func(s *audit.Subject) []audit.Hit {
				return list(s, "Old model families:", func(id string) string {
					if patterns().old.MatchString(strings.ToLower(id)) {
						return "legacy"
					}
					return ""
				})
			},
			Fires: kit.Cfg(model("openai/gpt-3.5-turbo"), model("anthropic/claude-2.1"), model("openai/gpt-4-0613")), Quiet: kit.Cfg(model("openai/gpt-5.1"), `{}`),
		},
		{
			ID: "models.weak_tier", Layer: layer, On: audit.Both, Severity: "warn", Title: "Some configured models are below recommended tiers",
			Why: "Smaller and older models give in to injected instructions and misuse tools more often.", Remedy: "Use the strongest current model wherever tools or strangers' text are involved.", Refs: []string{"OWASP-LLM01"},
			Run:   func(s *audit.Subject) []audit.Hit { return list(s, "Models below the recommended tiers:", weak) },
			Fires: kit.Cfg(model("anthropic/claude-haiku-4-5"), model("openai/gpt-4o"), model("anthropic/claude-sonnet-4")), Quiet: kit.Cfg(model("anthropic/claude-opus-4-6"), model("venice/claude-opus-45"), model("openai/gpt-5-mini"), `{}`),
		},
		{
			ID: "models.small_params", Layer: layer, On: audit.OpenClaw, Severity: "info; critical when the model reads web pages", Title: "Small models require sandboxing and web tools disabled",
			Why: "A model of few parameters does what a web page tells it.", Remedy: `Deny group:web and browser for it, globally or in tools.byProvider, and use sandbox mode all.`, Refs: []string{"OWASP-LLM01", "AML.T0051"},
			Run:   small,
			Fires: kit.Join(kit.Want(audit.Critical, kit.Cfg(model("ollama/llama3.1:8b"))), kit.Want(audit.Info, kit.Cfg(`{agents:{defaults:{model:"ollama/qwen3:14b"}},tools:{deny:["group:web","browser"]}}`))),
			Quiet: kit.Cfg(model("anthropic/claude-opus-4-6"), model("x/big-405b"), `{agents:{defaults:{imageModel:{primary:"ollama/llava:7b"}}}}`),
		},
	}
}

func small(s *audit.Subject) []audit.Hit {
	var lines []string
	unsafe, key := false, ""
	for _, r := range refs(s) {
		n := billions(r.id)
		if r.image || n == 0 || n > 300 {
			continue
		}
		layers := view.Layers(s, r.agent, view.ByProvider(s, r.agent, r.id)...)
		var web []string
		if searchOn(s) && view.Allows("web_search", layers) {
			web = append(web, "web_search")
		}
		if !s.Root.At("tools.web.fetch.enabled").False() && view.Allows("web_fetch", layers) {
			web = append(web, "web_fetch")
		}
		if view.BrowserOn(s) && view.Allows("browser", layers) {
			web = append(web, "browser")
		}
		unsafe = unsafe || len(web) > 0
		lines = append(lines, r.id+" at "+r.key+", sandbox="+r.agent.Mode(s)+", web=["+strings.Join(web, ", ")+"]")
		if key == "" {
			key = r.key
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return kit.Raise(unsafe, kit.At(key, "%s", audit.Bullets("Models of 300 billion parameters or fewer:", lines)))
}

// searchOn follows the peer: on when switched on, else when a key for a search
// provider is there.
func searchOn(s *audit.Subject) bool {
	search := s.Root.At("tools.web.search")
	if e := search.Get("enabled"); e.Set() {
		return e.True()
	}
	if search.Get("apiKey").Set() {
		return true
	}
	found := false
	search.Each(func(_ string, n *audit.Node) { found = found || n.Get("apiKey").Set() })
	for _, env := range []string{"BRAVE_API_KEY", "PERPLEXITY_API_KEY", "OPENROUTER_API_KEY", "TAVILY_API_KEY", "EXA_API_KEY", "FIRECRAWL_API_KEY"} {
		found = found || s.Env(env) != ""
	}
	return found
}
