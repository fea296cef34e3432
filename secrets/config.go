package secrets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/internal/problem"
)

// Config is the `secrets` key: where references find their values.
type Config struct {
	Providers map[string]ProviderConfig `yaml:"providers,omitempty" json:"providers,omitempty" doc:"named places that references draw from; env default, file state, store default and keyring default are built in"`
	Defaults  Defaults                  `yaml:"defaults,omitempty" json:"defaults,omitzero" doc:"provider of a reference that names none, for each source"`
	Store     StoreConfig               `yaml:"store,omitempty" json:"store,omitzero" doc:"the encrypted local store"`
}

// Defaults names the provider of a reference that names none.
type Defaults struct {
	Env     string `yaml:"env,omitempty" json:"env,omitempty" default:"default" doc:"provider of env references"`
	File    string `yaml:"file,omitempty" json:"file,omitempty" default:"default" doc:"provider of file references"`
	Exec    string `yaml:"exec,omitempty" json:"exec,omitempty" default:"default" doc:"provider of exec references"`
	Store   string `yaml:"store,omitempty" json:"store,omitempty" default:"default" doc:"provider of store references"`
	Keyring string `yaml:"keyring,omitempty" json:"keyring,omitempty" default:"default" doc:"provider of keyring references"`
}

// For is the default provider of a source.
func (d Defaults) For(source string) string {
	name := map[string]string{SourceEnv: d.Env, SourceFile: d.File, SourceExec: d.Exec, SourceStore: d.Store, SourceKeyring: d.Keyring}[source]
	if name == "" {
		return DefaultProvider
	}
	return name
}

// StoreConfig says how the encrypted local store keeps its key.
type StoreConfig struct {
	Key     string `yaml:"key,omitempty" json:"key,omitempty" enum:"file,keyring,passphrase" default:"file" doc:"where the store's key is: a 0600 file, the OS keyring, or a passphrase in CHITIN_STORE_PASSPHRASE"`
	KeyFile string `yaml:"keyFile,omitempty" json:"keyFile,omitempty" doc:"absolute path of the key file; secrets.key in the state directory when absent"`
}

// ProviderConfig is one place that references draw from. Which keys apply
// depends on source.
type ProviderConfig struct {
	Source string `yaml:"source" json:"source" enum:"env,file,exec,store,keyring" doc:"kind of provider"`

	Allowlist []string `yaml:"allowlist,omitzero" json:"allowlist,omitzero" doc:"env: the only variables that may be read; absent allows any, empty allows none"`

	Path         string `yaml:"path,omitempty" json:"path,omitempty" doc:"file: absolute path of the secret file"`
	Dir          string `yaml:"dir,omitempty" json:"dir,omitempty" doc:"file: absolute directory that holds one secret a file; the reference's id is the file name"`
	Mode         string `yaml:"mode,omitempty" json:"mode,omitempty" enum:"json,singleValue" default:"json" doc:"file: json takes the id as a JSON pointer, singleValue takes the whole file"`
	ReadableBy   string `yaml:"readableBy,omitempty" json:"readableBy,omitempty" enum:"owner,group,all" default:"owner" doc:"file: who else may be able to read the file"`
	AllowSymlink bool   `yaml:"allowSymlink,omitempty" json:"allowSymlink,omitempty" doc:"file and exec: follow symbolic links; the file that was opened is checked all the same"`
	MaxBytes     int    `yaml:"maxBytes,omitempty" json:"maxBytes,omitempty" default:"1048576" doc:"file: largest file to read, in bytes"`

	Command           string            `yaml:"command,omitempty" json:"command,omitempty" doc:"exec: absolute path of the program; no shell is involved"`
	Args              []string          `yaml:"args,omitempty" json:"args,omitempty" doc:"exec: its arguments"`
	Env               map[string]string `yaml:"env,omitempty" json:"env,omitempty" doc:"exec: variables to set; the environment is empty otherwise"`
	PassEnv           []string          `yaml:"passEnv,omitempty" json:"passEnv,omitempty" doc:"exec: variables to pass on from our own environment"`
	TrustedDirs       []string          `yaml:"trustedDirs,omitzero" json:"trustedDirs,omitzero" doc:"exec: the program must be below one of these directories"`
	TimeoutMs         int               `yaml:"timeoutMs,omitempty" json:"timeoutMs,omitempty" default:"5000" doc:"file and exec: longest time for one batch, in milliseconds"`
	NoOutputTimeoutMs int               `yaml:"noOutputTimeoutMs,omitempty" json:"noOutputTimeoutMs,omitempty" default:"5000" doc:"exec: longest silence on standard output, in milliseconds"`
	MaxOutputBytes    int               `yaml:"maxOutputBytes,omitempty" json:"maxOutputBytes,omitempty" default:"1048576" doc:"exec: largest output to read, in bytes"`
	JSONOnly          *bool             `yaml:"jsonOnly,omitempty" json:"jsonOnly,omitempty" default:"true" doc:"exec: refuse output that is not the JSON protocol; false takes the whole output as the value of a single id"`

	Service string `yaml:"service,omitempty" json:"service,omitempty" default:"chitin" doc:"keyring: the service that the entries belong to"`
	Tenant  string `yaml:"tenant,omitempty" json:"tenant,omitempty" doc:"store: the tenant whose secrets these are"`
}

const (
	maxTimeoutMs = 120_000
	maxSizeBytes = 20 << 20
)

// Validate reports what is wrong with the providers. Paths in problems are
// below the secrets key.
func (c Config) Validate() []problem.Problem {
	var out []problem.Problem
	names := make([]string, 0, len(c.Providers))
	for name := range c.Providers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		at := "providers." + name
		if !patterns().provider.MatchString(name) {
			out = append(out, problem.Problem{Path: at, Message: "a provider's name is lower-case letters, digits, - and _", Hint: "rename it to match [a-z][a-z0-9_-]*"})
		}
		out = append(out, c.Providers[name].validate(at)...)
	}
	switch c.Store.Key {
	case "", "file", "keyring", "passphrase":
	default:
		out = append(out, problem.Problem{Path: "store.key", Message: fmt.Sprintf("%q is not a kind of key", c.Store.Key), Hint: "use file, keyring or passphrase"})
	}
	if c.Store.KeyFile != "" && !filepath.IsAbs(c.Store.KeyFile) {
		out = append(out, problem.Problem{Path: "store.keyFile", Message: "must be an absolute path", Hint: "write the full path"})
	}
	return out
}

func (p ProviderConfig) validate(at string) []problem.Problem {
	var out []problem.Problem
	add := func(key, msg, hint string) {
		out = append(out, problem.Problem{Path: at + "." + key, Message: msg, Hint: hint})
	}
	switch p.Source {
	case SourceEnv:
		for i, n := range p.Allowlist {
			if !patterns().envID.MatchString(n) {
				add(fmt.Sprintf("allowlist[%d]", i), "not the name of an environment variable", "use upper-case letters, digits and _")
			}
		}
	case SourceFile:
		p.validateFile(add)
	case SourceExec:
		p.validateExec(add)
	case SourceStore, SourceKeyring:
	case "":
		add("source", "is missing", "use env, file, exec, store or keyring")
	default:
		add("source", fmt.Sprintf("%q is not a kind of provider", p.Source), "use env, file, exec, store or keyring")
	}
	checkRange := func(key string, v, most int) {
		if v < 0 || v > most {
			add(key, fmt.Sprintf("must be between 1 and %d", most), "leave it out for the default")
		}
	}
	checkRange("timeoutMs", p.TimeoutMs, maxTimeoutMs)
	checkRange("noOutputTimeoutMs", p.NoOutputTimeoutMs, maxTimeoutMs)
	checkRange("maxBytes", p.MaxBytes, maxSizeBytes)
	checkRange("maxOutputBytes", p.MaxOutputBytes, maxSizeBytes)
	return out
}

func (p ProviderConfig) validateFile(add func(key, msg, hint string)) {
	switch {
	case p.Path == "" && p.Dir == "":
		add("path", "is missing", "give the absolute path of the secret file")
	case p.Path != "" && p.Dir != "":
		add("dir", "cannot be combined with path", "keep one of them")
	case p.Path != "" && !filepath.IsAbs(p.Path):
		add("path", "must be an absolute path", "write the full path")
	case p.Dir != "" && !filepath.IsAbs(p.Dir):
		add("dir", "must be an absolute path", "write the full path")
	}
	if p.Mode != "" && p.Mode != "json" && p.Mode != "singleValue" {
		add("mode", fmt.Sprintf("%q is not a mode", p.Mode), "use json or singleValue")
	}
	if !slices.Contains([]string{"", "owner", "group", "all"}, p.ReadableBy) {
		add("readableBy", fmt.Sprintf("%q is nobody we know", p.ReadableBy), "use owner, group or all")
	}
}

func (p ProviderConfig) validateExec(add func(key, msg, hint string)) {
	switch {
	case p.Command == "":
		add("command", "is missing", "give the absolute path of the program")
	case !filepath.IsAbs(p.Command) || strings.ContainsRune(p.Command, 0):
		add("command", "must be an absolute path", "find it with: command -v "+filepath.Base(p.Command))
	}
	for i, d := range p.TrustedDirs {
		if !filepath.IsAbs(d) {
			add(fmt.Sprintf("trustedDirs[%d]", i), "must be an absolute path", "write the full path")
		}
	}
	for _, n := range p.PassEnv {
		if n == "" || strings.ContainsAny(n, "=\x00") {
			add("passEnv", "holds something that is not the name of a variable", "write names only, without values")
		}
	}
}
