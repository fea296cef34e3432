// Package approval lets a human say yes or no to one exact call. What is
// approved is a Plan: the words, the programs with their digests, the
// directory, the environment, the scripts and the paths. When any of it has
// changed by the time the call runs, the yes is void.
package approval

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"slices"

	"github.com/chitin-sh/chitin/toolpolicy/shell"
)

// Plan is everything that a human's yes is bound to.
type Plan struct {
	Tool     string          `json:"tool"`
	Session  string          `json:"session"`
	Args     json.RawMessage `json:"args"`              // the call's arguments, byte for byte
	Command  string          `json:"command,omitempty"` // exec's line, byte for byte
	Commands [][]string      `json:"commands,omitempty"`
	Doubts   []string        `json:"doubts,omitempty"` // what could not be settled before it runs
	Programs []File          `json:"programs,omitempty"`
	Scripts  []File          `json:"scripts,omitempty"`
	Paths    []File          `json:"paths,omitempty"`
	Cwd      string          `json:"cwd,omitempty"`
	Env      []string        `json:"env,omitempty"`     // names and values, sorted; values are redacted for display
	Sandbox  string          `json:"sandbox,omitempty"` // hash of the sandbox's specification; empty on the host
	Host     bool            `json:"host"`
	// Why is filled in that copy too: what the policy said when it asked.
	Why string `json:"why,omitempty"`
	// Context is filled in the copy that is kept for people: the digest of what
	// a pattern does not vary.
	Context string `json:"context,omitempty"`
}

// File is one file with the SHA-256 of its content, "" when there is none.
type File struct {
	Name   string `json:"name,omitempty"` // as written in the call
	Path   string `json:"path"`
	Digest string `json:"digest,omitempty"`
}

// Digest is the SHA-256 of the whole plan, in hex. Every field is written with
// its length, so that no two plans have the same bytes.
func (p *Plan) Digest() string {
	h := sha256.New()
	put(h, "chitin plan 1", p.Tool, p.Session, string(p.Args), p.Command, p.Cwd, p.Sandbox)
	flag := "sandbox"
	if p.Host {
		flag = "host"
	}
	put(h, flag)
	count(h, len(p.Commands))
	for _, argv := range p.Commands {
		list(h, argv)
	}
	list(h, p.Doubts)
	for _, files := range [][]File{p.Programs, p.Scripts, p.Paths} {
		count(h, len(files))
		for _, f := range files {
			put(h, f.Name, f.Path, f.Digest)
		}
	}
	env := slices.Clone(p.Env)
	slices.Sort(env)
	list(h, env)
	return hex.EncodeToString(h.Sum(nil))
}

// context is the digest of all that a pattern does not vary: the same program
// files, directory, environment and sandbox.
func (p *Plan) context() string {
	h := sha256.New()
	put(h, "chitin context 1", p.Tool, p.Cwd, p.Sandbox)
	for _, f := range p.Programs {
		put(h, f.Name, f.Path, f.Digest)
	}
	env := slices.Clone(p.Env)
	slices.Sort(env)
	list(h, env)
	return hex.EncodeToString(h.Sum(nil))
}

func put(h hash.Hash, fields ...string) {
	for _, f := range fields {
		count(h, len(f))
		h.Write([]byte(f))
	}
}

func list(h hash.Hash, fields []string) {
	count(h, len(fields))
	put(h, fields...)
}

func count(h hash.Hash, n int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}

// Summary is the plan on one line, for a prompt: exactly the bytes that would
// run, with everything that cannot be seen made visible.
func (p *Plan) Summary() string {
	if p.Command != "" {
		return shell.Show(p.Command)
	}
	return p.Tool + " " + shell.Show(string(p.Args))
}

// shown is the plan as it is kept for people: without the environment's values.
func (p *Plan) shown() Plan {
	out := *p
	out.Context = p.context()
	out.Env = nil
	for _, kv := range p.Env {
		name, _, _ := cut(kv)
		out.Env = append(out.Env, name)
	}
	return out
}

func cut(kv string) (name, value string, ok bool) {
	for i := range len(kv) {
		if kv[i] == '=' {
			return kv[:i], kv[i+1:], true
		}
	}
	return kv, "", false
}
