package audit

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/all"
	"github.com/chitin-sh/chitin/secrets/doc"
	"github.com/chitin-sh/chitin/secrets/exec"
	"github.com/chitin-sh/chitin/secrets/runtime"
)

// reference is one reference of a configuration and where it stands.
type reference struct {
	ref  secrets.Ref
	node *doc.Node
}

// collect finds the references of a configuration.
func collect(root *doc.Node) []reference {
	var out []reference
	root.Walk(func(n *doc.Node) bool {
		if n.Path == "secrets.providers" {
			return false
		}
		if ref, ok := refOf(n); ok {
			out = append(out, reference{ref, n})
			return false
		}
		if n.Kind == doc.String && secretBearing(n) {
			if ref, ok := shorthand(n.Value); ok {
				out = append(out, reference{ref, n})
			}
		}
		return true
	})
	return out
}

// references resolves what the configuration refers to and reports what does
// not resolve or is not what takes effect.
func (r *run) references(ctx context.Context, path string, data []byte, root *doc.Node, kind fileKind) {
	cfg := toConfig(root)
	stateDir := r.opts.StateDir
	if kind == openclawConf {
		stateDir = filepath.Dir(path)
	}
	dotEnv := r.dotEnv(path)
	lookup := func(name string) (string, bool) {
		if v, ok := r.opts.LookupEnv(name); ok && v != "" {
			return v, ok
		}
		v, ok := dotEnv[name]
		return v, ok
	}
	refs := collect(root)
	byPath := map[string]reference{}
	var needs []runtime.Need
	for _, x := range refs {
		byPath[x.node.Path] = x
		if x.ref.Source == secrets.SourceExec && !r.opts.AllowExec {
			r.skipExec(path, data, cfg, stateDir, x, lookup)
			continue
		}
		r.report.Resolution.RefsChecked++
		needs = append(needs, runtime.Need{Path: x.node.Path, Field: secrets.RefField(x.ref), Required: true})
	}
	snap, failures := resolver(cfg, stateDir, lookup, path, data, r).ResolveAll(ctx, needs)
	for _, f := range failures {
		r.unresolved(path, data, byPath[f.Path], f.Code, f.Message, f.Fix)
	}
	for _, x := range refs {
		r.shadowed(path, data, x, snap, dotEnv, kind)
	}
}

// resolver makes a runtime; a provider configuration that is invalid is
// reported and left out, so that the other references are still checked.
func resolver(cfg secrets.Config, stateDir string, lookup func(string) (string, bool), path string, data []byte, r *run) *runtime.Runtime {
	rt, err := runtime.New(cfg, runtime.Options{StateDir: stateDir, LookupEnv: lookup})
	if err == nil {
		return rt
	}
	for _, p := range cfg.Validate() {
		r.add(Finding{Code: RefUnresolved, Severity: Error, File: path, JSONPath: "secrets." + p.Path, Rule: "invalid-provider", Message: "secrets." + p.Path + ": " + p.Message, Fix: p.Hint})
		if name, ok := strings.CutPrefix(p.Path, "providers."); ok {
			name, _, _ = strings.Cut(name, ".")
			delete(cfg.Providers, name)
		}
	}
	cfg.Store = secrets.StoreConfig{}
	if rt, err = runtime.New(cfg, runtime.Options{StateDir: stateDir, LookupEnv: lookup}); err != nil {
		rt, _ = runtime.New(secrets.Config{}, runtime.Options{StateDir: stateDir, LookupEnv: lookup})
	}
	return rt
}

// skipExec checks the program of an exec reference without running it.
func (r *run) skipExec(path string, data []byte, cfg secrets.Config, stateDir string, x reference, lookup func(string) (string, bool)) {
	name, pc, fail := all.Lookup(cfg, stateDir, x.ref)
	if fail == nil {
		if p, ok := all.Build(name, pc, cfg.Store, all.Options{StateDir: stateDir, LookupEnv: lookup}).(*exec.Provider); ok {
			fail = p.Check()
		}
	}
	if fail != nil {
		r.report.Resolution.RefsChecked++
		r.unresolved(path, data, x, fail.Code, fail.Message, fail.Fix)
		return
	}
	r.report.Resolution.SkippedExecRefs++
	r.report.Resolution.ResolvabilityChecked = false
}

func (r *run) unresolved(path string, data []byte, x reference, code, message, fix string) {
	f := Finding{Code: RefUnresolved, Severity: Error, File: path, Rule: strings.ToLower(strings.ReplaceAll(code, "_", "-")), Message: x.node.Path + ": " + x.ref.String() + " does not resolve: " + message, Fix: fix}
	if code == secrets.CodePlaceholder {
		f.Code = PlaceholderValue
	}
	r.add(r.place(data, scalarOf(x.node), f))
}

// scalarOf is the node itself or, for a map, its first scalar, which has a
// place; the path stays the node's own.
func scalarOf(n *doc.Node) *doc.Node {
	out := *n
	n.Walk(func(c *doc.Node) bool {
		if out.Start == 0 && c.Start > 0 {
			out.Start, out.End = c.Start, c.End
		}
		return out.Start == 0
	})
	return &out
}

// overrides are the variables that programs read before the configuration, by
// the field they beat.
func overrides(path string) []string {
	switch path {
	case "gateway.auth.token":
		return []string{"CHITIN_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_TOKEN"}
	case "gateway.auth.password":
		return []string{"CHITIN_GATEWAY_PASSWORD", "OPENCLAW_GATEWAY_PASSWORD"}
	}
	parts := strings.Split(path, ".")
	if len(parts) == 4 && parts[0] == "models" && parts[1] == "providers" && parts[3] == "apiKey" {
		return []string{strings.ToUpper(strings.ReplaceAll(parts[2], "-", "_")) + "_API_KEY"}
	}
	return nil
}

// shadowed reports a reference that something else beats.
func (r *run) shadowed(path string, data []byte, x reference, snap *runtime.Snapshot, dotEnv map[string]string, kind fileKind) {
	shadow := func(rule, message, fix string) {
		r.add(r.place(data, scalarOf(x.node), Finding{Code: RefShadowed, Severity: Warn, File: path, Rule: rule, Message: x.node.Path + ": " + message, Fix: fix}))
	}
	value, _ := snap.Get(x.node.Path)
	for _, name := range overrides(x.node.Path) {
		v, ok := r.opts.LookupEnv(name)
		if !ok || v == "" || x.ref.Source == secrets.SourceEnv && x.ref.ID == name || value.Equal(secrets.NewValue(v)) {
			continue
		}
		shadow("environment-override", "the environment variable "+name+" is set to something else than the reference "+x.ref.String()+" resolves to", "unset "+name+", or refer to it")
	}
	if x.ref.Source == secrets.SourceEnv {
		if v, ok := r.opts.LookupEnv(x.ref.ID); ok && v != "" && dotEnv[x.ref.ID] != "" && dotEnv[x.ref.ID] != v {
			shadow("dotenv-shadowed", "the environment's "+x.ref.ID+" beats the one in .env", "keep one of them")
		}
	}
	if kind == openclawConf {
		if provider, ok := r.profileFor(path, x.node.Path); ok {
			shadow("auth-profile", "an auth profile for "+provider+" beats the reference "+x.ref.String(), "delete the profile")
		}
	}
}

// profileFor finds an auth profile that is used before the key of a model
// provider.
func (r *run) profileFor(config, path string) (string, bool) {
	parts := strings.Split(path, ".")
	if len(parts) != 4 || parts[0] != "models" || parts[1] != "providers" {
		return "", false
	}
	for file, data := range r.held {
		if filepath.Base(file) != "auth-profiles.json" || !strings.HasPrefix(file, filepath.Dir(config)+"/") {
			continue
		}
		root, err := doc.Parse(doc.JSON, data)
		if err != nil {
			continue
		}
		for _, p := range root.At("profiles").ChildrenOf() {
			if p.Child("provider").Text() == parts[2] {
				return parts[2], true
			}
		}
	}
	return "", false
}
