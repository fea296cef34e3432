// Package ruletest runs a policy's unit tests: a file of cases, each a call
// and the answer that the policy must give. It is what chitin policy test
// does, and it needs no running gateway.
package ruletest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/toolpolicy"
)

// maxFile bounds one file of cases, in bytes.
const maxFile = 4 << 20

// File is a file of cases.
type File struct {
	Cases []Case `yaml:"cases"`
}

// Case is one call and what must come of it. What is left out takes the
// defaults of Session and of an owner's call over HTTP.
type Case struct {
	Name      string         `yaml:"name"`
	Principal string         `yaml:"principal"` // kind:id; default token:test
	Owner     *bool          `yaml:"owner"`     // default true
	Scopes    []string       `yaml:"scopes"`    // default all
	Tenant    string         `yaml:"tenant"`
	Tool      string         `yaml:"tool"`
	Surface   string         `yaml:"surface"` // default http
	Args      map[string]any `yaml:"args"`
	Session   Session        `yaml:"session"`
	At        string         `yaml:"at"`     // time that rules see, RFC 3339
	Expect    string         `yaml:"expect"` // allow, deny or ask
	Layer     string         `yaml:"layer"`  // which layer must decide; optional
	Rule      string         `yaml:"rule"`   // which rule, such as rules.cedar:4; optional
}

// Session describes the session of a case.
type Session struct {
	Key       string `yaml:"key"`
	Agent     string `yaml:"agent"` // default main
	Sandboxed *bool  `yaml:"sandboxed"`
	ReadOnly  bool   `yaml:"readOnly"`
	Depth     int    `yaml:"depth"`
	Leaf      bool   `yaml:"leaf"`
	Label     string `yaml:"label"`
	Group     string `yaml:"group"`
	Sender    string `yaml:"sender"`
	Provider  string `yaml:"provider"`
}

// Result is how one case ended.
type Result struct {
	File string                 `json:"file"`
	Name string                 `json:"name"`
	OK   bool                   `json:"ok"`
	Why  string                 `json:"why,omitempty"`
	Got  toolpolicy.Explanation `json:"got"`
}

// Parse reads a file of cases. Unknown keys are errors.
func Parse(name string, text []byte) ([]Case, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, maxFile)
	}
	var f File
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(f.Cases) == 0 {
		return nil, fmt.Errorf("%s: no cases", name)
	}
	for i := range f.Cases {
		c := &f.Cases[i]
		if c.Name == "" {
			c.Name = fmt.Sprintf("case %d", i+1)
		}
		if c.Expect != "allow" && c.Expect != "deny" && c.Expect != "ask" {
			return nil, fmt.Errorf("%s: %s: expect must be allow, deny or ask", name, c.Name)
		}
	}
	return f.Cases, nil
}

// Run decides every case and compares.
func Run(e *toolpolicy.Engine, file string, cases []Case) []Result {
	out := make([]Result, 0, len(cases))
	for _, c := range cases {
		r := Result{File: file, Name: c.Name}
		who, q, err := c.query()
		if err != nil {
			r.Why = err.Error()
			out = append(out, r)
			continue
		}
		r.Got = e.ExplainAs(who, q)
		switch {
		case r.Got.Verdict != c.Expect:
			r.Why = fmt.Sprintf("got %s from %s (%s), want %s", r.Got.Verdict, r.Got.Layer, r.Got.Reason, c.Expect)
		case c.Layer != "" && r.Got.Layer != c.Layer:
			r.Why = fmt.Sprintf("decided by %s, want %s", r.Got.Layer, c.Layer)
		case c.Rule != "" && r.Got.Rule != c.Rule:
			r.Why = fmt.Sprintf("decided by rule %s, want %s", r.Got.Rule, c.Rule)
		default:
			r.OK = true
		}
		out = append(out, r)
	}
	return out
}

// query is the case as the policy is asked.
func (c *Case) query() (toolpolicy.Subject, *toolpolicy.Query, error) {
	who := toolpolicy.Subject{Kind: gateway.KindToken, ID: "test", Tenant: gateway.DefaultTenant, Scopes: gateway.AllScopes, Owner: c.Owner == nil || *c.Owner}
	if c.Principal != "" {
		s, ok := toolpolicy.ParseSubject(c.Principal)
		if !ok {
			return who, nil, fmt.Errorf("principal %q is not kind:id", c.Principal)
		}
		who.Kind, who.ID = s.Kind, s.ID
	}
	if c.Tenant != "" {
		who.Tenant = c.Tenant
	}
	if c.Scopes != nil {
		scopes, err := gateway.ParseScopes(c.Scopes)
		if err != nil {
			return who, nil, err
		}
		who.Scopes = scopes
	}
	s := toolpolicy.Session{
		Key: c.Session.Key, Agent: or(c.Session.Agent, "main"), Tenant: who.Tenant,
		Sandboxed: c.Session.Sandboxed == nil || *c.Session.Sandboxed, ReadOnly: c.Session.ReadOnly,
		Depth: c.Session.Depth, Leaf: c.Session.Leaf, Label: c.Session.Label, Group: c.Session.Group,
		Sender: c.Session.Sender, Provider: c.Session.Provider,
	}
	s.Key = or(s.Key, "agent:"+s.Agent+":main")
	q := &toolpolicy.Query{Tool: c.Tool, Surface: toolpolicy.Surface(or(c.Surface, "http")), Session: &s}
	if c.Args != nil {
		b, err := json.Marshal(c.Args)
		if err != nil {
			return who, nil, err
		}
		q.Args = b
	}
	if c.At != "" {
		at, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			return who, nil, fmt.Errorf("at: %w", err)
		}
		q.Now = at
	}
	return who, q, nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
