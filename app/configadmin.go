package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/config"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/internal/securefile"
	"github.com/chitin-sh/chitin/internal/yamlconf"
	"github.com/chitin-sh/chitin/journal"
	"github.com/chitin-sh/chitin/tool/gatewaytool"
	"github.com/goccy/go-yaml"
	"github.com/pmezard/go-difflib/difflib"
)

// configAdmin lets the owner read and change the configuration through the
// gateway tool. What it shows has no secrets in it.
type configAdmin struct{ app *App }

// Get is the value at a dotted path of the file, and the file's hash.
func (c configAdmin) Get(_ context.Context, path string) (any, string, error) {
	l, err := config.Load(c.app.opts.ConfigPath)
	if err != nil {
		return nil, "", err
	}
	shown, err := l.Show()
	if err != nil {
		return nil, "", err
	}
	var tree any
	if err := yaml.Unmarshal(shown, &tree); err != nil {
		return nil, "", err
	}
	v, err := walk(tree, path)
	return v, hash(l.Data), err
}

func walk(v any, path string) (any, error) {
	if path == "" {
		return v, nil
	}
	for _, k := range strings.Split(path, ".") {
		m, _ := v.(map[string]any) // what is no map has no keys
		next, ok := m[k]
		if !ok {
			return nil, gatewaytool.ErrNotFound
		}
		v = next
	}
	return v, nil
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Lookup is the schema at a dotted path.
func (c configAdmin) Lookup(_ context.Context, path string) (any, error) {
	b, err := config.Schema()
	if err != nil {
		return nil, err
	}
	var node map[string]any
	if err := json.Unmarshal(b, &node); err != nil {
		return nil, err
	}
	for _, k := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		next, ok := at(node, "properties", k)
		if !ok {
			next, ok = at(node, "additionalProperties")
		}
		if !ok {
			return nil, gatewaytool.ErrNotFound
		}
		node = next
	}
	return node, nil
}

func at(n map[string]any, keys ...string) (map[string]any, bool) {
	for _, k := range keys {
		next, ok := n[k].(map[string]any)
		if !ok {
			return nil, false
		}
		n = next
	}
	return n, true
}

// Patch merges a JSON merge patch into the file, key by key, keeping comments.
// A result with mistakes is refused and nothing is written.
func (c configAdmin) Patch(ctx context.Context, by gateway.Caller, p gatewaytool.Patch) (gatewaytool.Outcome, error) {
	a := c.app
	a.reloading.Lock()
	defer a.reloading.Unlock()
	old, err := config.Load(a.opts.ConfigPath)
	if err != nil {
		return gatewaytool.Outcome{}, err
	}
	if p.Base != "" && p.Base != hash(old.Data) {
		return gatewaytool.Outcome{}, gatewaytool.ErrChanged
	}
	text, keys, err := merge(old.Data, p.Merge)
	if err != nil {
		return gatewaytool.Outcome{}, err
	}
	next, err := config.Parse(a.opts.ConfigPath, text)
	if err != nil {
		return gatewaytool.Outcome{}, err
	}
	out := gatewaytool.Outcome{Changed: string(text) != string(old.Data), Hash: hash(text), Diff: a.redactor.String(diff(old, next)), Restart: restart(keys)}
	for _, w := range next.Warnings {
		out.Warnings = append(out.Warnings, w.String())
	}
	if p.DryRun || !out.Changed {
		return out, nil
	}
	if err := securefile.Write(a.opts.ConfigPath, text); err != nil {
		return out, err
	}
	detail, _ := json.Marshal(map[string]any{"keys": keys, "hash": out.Hash, "note": a.redactor.String(p.Note)})
	a.note(&journal.Entry{Event: "config.patched", Principal: by.Principal(), Tenant: by.Tenant(), Detail: detail})
	out.Applied = true
	return out, a.reload(ctx)
}

// merge applies a merge patch to YAML text and returns the dotted keys set.
func merge(data []byte, patch json.RawMessage) ([]byte, []string, error) {
	var m map[string]any
	if err := json.Unmarshal(patch, &m); err != nil {
		return nil, nil, fmt.Errorf("patch: %w", err)
	}
	leaves := map[string]any{}
	flatten(leaves, "", m)
	keys := make([]string, 0, len(leaves))
	for k := range leaves {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var err error
	for _, k := range keys {
		if leaves[k] == nil {
			data, err = yamlconf.Unset(data, k)
		} else {
			data, err = yamlconf.Set(data, k, leaves[k])
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return data, keys, nil
}

// references are written whole: their keys belong together.
func flatten(out map[string]any, prefix string, v any) {
	m, ok := v.(map[string]any)
	if _, ref := m["source"]; !ok || ref || (len(m) == 0 && prefix != "") {
		out[prefix] = v
		return
	}
	for k, v := range m {
		p := k
		if prefix != "" {
			p = prefix + "." + k
		}
		flatten(out, p, v)
	}
}

// restart lists the keys that only a restart picks up.
func restart(keys []string) []string {
	var out []string
	for _, k := range keys {
		for _, fixed := range []string{"gateway.bind", "gateway.customBindHost", "gateway.port", "gateway.tls", "gateway.tailscale", "gateway.auth.unix", "logging"} {
			if k == fixed || strings.HasPrefix(k, fixed+".") {
				out = append(out, k)
			}
		}
	}
	return out
}

// diff compares what config show prints, so that no literal gets into it.
func diff(a, b *config.Loaded) string {
	if reflect.DeepEqual(a.Config, b.Config) {
		return ""
	}
	was, errA := a.Show()
	is, errB := b.Show()
	if errA != nil || errB != nil {
		return ""
	}
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(string(was)), B: difflib.SplitLines(string(is)), FromFile: "before", ToFile: "after", Context: 2,
	})
	if err != nil {
		return ""
	}
	return text
}
