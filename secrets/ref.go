package secrets

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The kinds of place a secret can come from.
const (
	SourceEnv     = "env"
	SourceFile    = "file"
	SourceExec    = "exec"
	SourceStore   = "store"
	SourceKeyring = "keyring"
)

// DefaultProvider is the provider of a reference that names none, and of the
// ${VAR} shorthand.
const DefaultProvider = "default"

// Ref points at a secret: {source, provider, id}, or the ${VAR} shorthand.
type Ref struct {
	Source   string `yaml:"source" json:"source" enum:"env,file,exec,store,keyring" doc:"kind of provider"`
	Provider string `yaml:"provider,omitempty" json:"provider,omitempty" doc:"name under secrets.providers; the source's default provider when absent"`
	ID       string `yaml:"id" json:"id" doc:"which secret of that provider"`
}

// String is the reference in one word, source:provider:id.
func (r Ref) String() string {
	p := r.Provider
	if p == "" {
		p = DefaultProvider
	}
	return r.Source + ":" + p + ":" + r.ID
}

type refPatterns struct{ provider, envID, execID, plainID *regexp.Regexp }

var patterns = sync.OnceValue(func() refPatterns {
	return refPatterns{
		provider: regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`),
		envID:    regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,127}$`),
		execID:   regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,255}$`),
		plainID:  regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`),
	}
})

// Validate says what is wrong with the form of a reference. It does not look
// whether the secret exists.
func (r Ref) Validate() error {
	p := patterns()
	if r.Provider != "" && !p.provider.MatchString(r.Provider) {
		return fmt.Errorf("provider %q: use lower-case letters, digits, - and _, beginning with a letter", r.Provider)
	}
	if r.ID == "" {
		return errors.New("id is missing")
	}
	switch r.Source {
	case SourceEnv:
		if !p.envID.MatchString(r.ID) {
			return fmt.Errorf("id %q: an environment variable is upper-case letters, digits and _", r.ID)
		}
	case SourceStore, SourceKeyring:
		if !p.plainID.MatchString(r.ID) {
			return fmt.Errorf("id %q: use letters, digits, dot, - and _, at most 128", r.ID)
		}
	case SourceFile:
		if !strings.HasPrefix(r.ID, "/") && !p.plainID.MatchString(r.ID) {
			return fmt.Errorf("id %q: a file reference is a JSON pointer such as /gateway/token, the word value, or a file name", r.ID)
		}
	case SourceExec:
		segments := strings.Split(r.ID, "/")
		if !p.execID.MatchString(r.ID) || slices.Contains(segments, "..") || slices.Contains(segments, ".") {
			return fmt.Errorf("id %q: use letters, digits and . _ : / # - without . or .. segments, at most 256", r.ID)
		}
	case "":
		return errors.New("source is missing: env, file, exec, store or keyring")
	default:
		return fmt.Errorf("source %q is none of env, file, exec, store, keyring", r.Source)
	}
	return nil
}

// Shorthand parses "${VAR}" and "$VAR", the short forms of a reference to an
// environment variable. ok is false when s is neither.
func Shorthand(s string) (ref Ref, ok bool) {
	name, ok := strings.CutPrefix(s, "$")
	if !ok {
		return Ref{}, false
	}
	if inner, braced := strings.CutPrefix(name, "{"); braced {
		name, ok = strings.CutSuffix(inner, "}")
	}
	if !ok || !patterns().envID.MatchString(name) {
		return Ref{}, false
	}
	return Ref{Source: SourceEnv, Provider: DefaultProvider, ID: name}, true
}
