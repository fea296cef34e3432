package config

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// Show is the configuration as YAML: literal secrets are redacted by their
// type, references are shown.
func (l *Loaded) Show() ([]byte, error) {
	b, err := yaml.Marshal(l.Config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return b, nil
}
