// Package runtime resolves every reference of the configuration in one batch,
// at start and on reload, and keeps the last good snapshot when that fails.
package runtime

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/all"
)

// Options is the world that the runtime works in.
type Options struct {
	StateDir  string                      // absolute; holds the store and the built-in state provider
	LookupEnv func(string) (string, bool) // os.LookupEnv when nil and Getenv is nil too
	Getenv    func(string) string         // used when LookupEnv is nil
	// OnChange is called after a snapshot with other values was swapped in:
	// feed the redactor and end what was allowed under the old epoch.
	OnChange func(*Snapshot)
}

// parallel is how many providers are asked at the same time.
const parallel = 4

// Runtime holds the current snapshot. It is safe for concurrent use.
type Runtime struct {
	opts    Options
	cfg     atomic.Pointer[secrets.Config]
	current atomic.Pointer[Snapshot]
	reload  sync.Mutex
}

// New checks the configuration. Nothing is resolved yet and no provider is
// touched.
func New(cfg secrets.Config, o Options) (*Runtime, error) {
	for _, p := range cfg.Validate() {
		if !p.Warning {
			return nil, errors.New("secrets." + p.Path + ": " + p.Message + " (" + p.Hint + ")")
		}
	}
	switch {
	case o.LookupEnv != nil:
	case o.Getenv != nil:
		o.LookupEnv = func(k string) (string, bool) { v := o.Getenv(k); return v, v != "" }
	default:
		o.LookupEnv = os.LookupEnv
	}
	r := &Runtime{opts: o}
	r.cfg.Store(&cfg)
	return r, nil
}

// Current is the snapshot in force; nil before the first Load.
func (r *Runtime) Current() *Snapshot { return r.current.Load() }

// ResolveAll resolves the needs in one batch, without putting them in force.
// What did not resolve is missing from the snapshot and named in a failure.
func (r *Runtime) ResolveAll(ctx context.Context, needs []Need) (*Snapshot, []Failure) {
	return r.resolve(ctx, *r.cfg.Load(), needs)
}

// Load resolves the needs and puts the snapshot in force unless a required
// one failed. The returned snapshot is the one in force.
func (r *Runtime) Load(ctx context.Context, needs []Need) (*Snapshot, []Failure) {
	return r.Reload(ctx, *r.cfg.Load(), needs)
}

// Reload is Load with a new configuration. When a required need fails, or one
// that had a value before, everything stays as it was: the last good snapshot
// and configuration remain in force and the failures say why.
func (r *Runtime) Reload(ctx context.Context, cfg secrets.Config, needs []Need) (*Snapshot, []Failure) {
	r.reload.Lock()
	defer r.reload.Unlock()
	next, failures := r.resolve(ctx, cfg, needs)
	last := r.current.Load()
	for i, f := range failures {
		_, had := last.Get(f.Path)
		if had {
			failures[i].Required = true
		}
		if failures[i].Required {
			return last, failures
		}
	}
	r.cfg.Store(&cfg)
	if last != nil && next.same(last) {
		return last, failures
	}
	next.epoch = last.Epoch() + 1
	r.current.Store(next)
	if r.opts.OnChange != nil {
		r.opts.OnChange(next)
	}
	return next, failures
}

// group is the ids that one provider is asked for.
type group struct {
	provider secrets.Provider
	ids      []string
	needs    map[string][]Need
}

func (r *Runtime) resolve(ctx context.Context, cfg secrets.Config, needs []Need) (*Snapshot, []Failure) {
	snap := &Snapshot{values: make(map[string]secrets.Value, len(needs))}
	groups, failures := r.plan(cfg, needs, snap)
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, gr := range groups {
		g.Go(func() error {
			slices.Sort(gr.ids)
			results := gr.provider.Resolve(ctx, gr.ids)
			mu.Lock()
			defer mu.Unlock()
			for _, id := range gr.ids {
				res := settle(results, id)
				for _, n := range gr.needs[id] {
					if res.Err != nil {
						failures = append(failures, failure(n, res.Err))
						continue
					}
					snap.values[n.Path] = res.Value
				}
			}
			return nil
		})
	}
	_ = g.Wait()
	slices.SortFunc(failures, func(a, b Failure) int { return strings.Compare(a.Path, b.Path) })
	return snap, failures
}

// plan groups the references by provider and takes literals as they are.
func (r *Runtime) plan(cfg secrets.Config, needs []Need, snap *Snapshot) (map[string]*group, []Failure) {
	groups := map[string]*group{}
	var failures []Failure
	for _, n := range needs {
		switch {
		case n.Field.IsLiteral():
			if err := placeholder(n.Field.Literal); err != nil {
				failures = append(failures, failure(n, err))
				continue
			}
			snap.values[n.Path] = n.Field.Literal
			continue
		case n.Field.IsZero():
			if n.Required {
				failures = append(failures, failure(n, secrets.Fail(secrets.CodeNotFound, "is not set", "write a reference, such as {source: env, provider: default, id: NAME}")))
			}
			continue
		}
		ref := *n.Field.Ref
		if err := ref.Validate(); err != nil {
			failures = append(failures, failure(n, secrets.Fail(secrets.CodeRefInvalid, err.Error(), "correct the reference")))
			continue
		}
		name, pc, fail := all.Lookup(cfg, r.opts.StateDir, ref)
		if fail != nil {
			failures = append(failures, failure(n, fail))
			continue
		}
		key := ref.Source + ":" + name
		if groups[key] == nil {
			p := all.Build(name, pc, cfg.Store, all.Options{StateDir: r.opts.StateDir, LookupEnv: r.opts.LookupEnv})
			groups[key] = &group{provider: p, needs: map[string][]Need{}}
		}
		gr := groups[key]
		if gr.needs[ref.ID] == nil {
			gr.ids = append(gr.ids, ref.ID)
		}
		gr.needs[ref.ID] = append(gr.needs[ref.ID], n)
	}
	return groups, failures
}

// settle makes sure that an id has a usable value or an error.
func settle(results map[string]secrets.Result, id string) secrets.Result {
	res, ok := results[id]
	switch {
	case !ok || (res.Err == nil && res.Value.IsZero()):
		return secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, "the provider did not answer", "look at the provider")}
	case res.Err != nil:
		return res
	}
	return secrets.Result{Value: res.Value, Err: placeholder(res.Value)}
}

func placeholder(v secrets.Value) *secrets.Error {
	if secrets.IsPlaceholder(v) {
		return secrets.Fail(secrets.CodePlaceholder, "the value is a redaction mark, not a secret", "put the real value in its place")
	}
	return nil
}

func failure(n Need, err *secrets.Error) Failure {
	return Failure{Path: n.Path, Ref: n.Field.String(), Required: n.Required, Code: err.Code, Message: err.Message, Fix: err.Fix}
}
