package audit

import (
	"os"
	"path/filepath"
	"strings"
)

// fileKind is what a file's name says about it.
type fileKind int

const (
	plain        fileKind = iota // only its text is looked at
	ownConfig                    // our configuration
	openclawConf                 // OpenClaw's configuration
	modelsFile                   // OpenClaw's models.json of an agent
	profilesFile                 // OpenClaw's retired auth-profiles.json
	oauthFile                    // OpenClaw's OAuth credentials
	retiredFile                  // another retired place of credentials
	envFile                      // .env beside a configuration
	ownSecret                    // a file that is meant to hold a secret
)

// kind tells what a file is by its name and its neighbours.
func (r *run) kind(path string) fileKind {
	base, dir := filepath.Base(path), filepath.Dir(path)
	if r.opts.Config != "" && samePath(path, r.opts.Config) {
		return ownConfig
	}
	inState := r.opts.StateDir != "" && samePath(dir, r.opts.StateDir)
	switch base {
	case "chitin.yml", "chitin.yaml":
		return ownConfig
	case "openclaw.json", "openclaw.json5", "clawdbot.json":
		return openclawConf
	case "models.json":
		if filepath.Base(dir) == "agent" {
			return modelsFile
		}
	case "auth-profiles.json":
		return profilesFile
	case "auth.json":
		if filepath.Base(dir) == "agent" {
			return retiredFile
		}
	case "oauth.json":
		if filepath.Base(dir) == "credentials" {
			return oauthFile
		}
	case ".env":
		if besideConfig(dir) {
			return envFile
		}
	}
	if strings.HasPrefix(base, "auth-profiles.json.") || strings.HasPrefix(base, "oauth.json.") {
		return retiredFile
	}
	if inState && (base == "secrets.key" || strings.HasSuffix(base, ".token") || strings.HasPrefix(base, "chitin.db")) {
		return ownSecret
	}
	return plain
}

func besideConfig(dir string) bool {
	for _, name := range []string{"openclaw.json", "openclaw.json5", "chitin.yml", "chitin.yaml"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

func samePath(a, b string) bool {
	x, err1 := filepath.Abs(a)
	y, err2 := filepath.Abs(b)
	return err1 == nil && err2 == nil && x == y
}

// existing are those of the paths that exist.
func existing(paths ...string) []string {
	var out []string
	for _, p := range paths {
		if p == "" {
			continue
		}
		if _, err := os.Stat(p); err == nil {
			out = append(out, p)
		}
	}
	return out
}
