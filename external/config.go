package external

import (
	"fmt"
	"sort"

	"github.com/chitin-sh/chitin/internal/problem"
)

// Mode is how a wrap keeps content apart from instructions.
type Mode string

// Modes of a wrap.
const (
	ModeMarker   Mode = "marker"   // random markers around the text
	ModeDatamark Mode = "datamark" // markers, and a sign in place of every blank
	ModeEncode   Mode = "encode"   // markers around the text in base64
)

// Config is what an operator may choose for content from outside.
type Config struct {
	Mode    Mode            `yaml:"mode,omitempty" enum:"marker,datamark,encode" default:"marker" doc:"how text from outside is kept apart from instructions: markers around it, markers and a sign in place of every blank, or markers around its base64"`
	Sources map[string]Mode `yaml:"sources,omitempty" doc:"mode by source, such as email, webhook, web_fetch, mcp or mcp:<server>; the longest match wins over mode"`
	Detect  *bool           `yaml:"detect,omitempty" default:"true" doc:"look for instructions hidden in text from outside; a match is logged and labelled, never blocked"`
	Notice  *bool           `yaml:"notice,omitempty" default:"true" doc:"put a security notice before wrapped text"`
}

// ModeFor is the mode of a source: its own, that of the part before a colon,
// else the general one.
func (c Config) ModeFor(source string) Mode {
	if m, ok := c.Sources[source]; ok {
		return m
	}
	for i := range len(source) {
		if source[i] == ':' {
			if m, ok := c.Sources[source[:i]]; ok {
				return m
			}
			break
		}
	}
	if c.Mode == "" {
		return ModeMarker
	}
	return c.Mode
}

// Validate is what is wrong with the configuration.
func (c Config) Validate() []problem.Problem {
	var out []problem.Problem
	check := func(path string, m Mode) {
		switch m {
		case ModeMarker, ModeDatamark, ModeEncode:
		default:
			out = append(out, problem.Problem{Path: path, Message: fmt.Sprintf("unknown mode %q", string(m)), Hint: "write marker, datamark or encode"})
		}
	}
	if c.Mode != "" {
		check("mode", c.Mode)
	}
	names := make([]string, 0, len(c.Sources))
	for s := range c.Sources {
		names = append(names, s)
	}
	sort.Strings(names)
	for _, s := range names {
		check("sources."+s, c.Sources[s])
	}
	return out
}

// Options are the options of Wrap that the configuration asks for.
func (c Config) Options() []Option {
	return []Option{{config: &c, noDetect: c.Detect != nil && !*c.Detect, noNotice: c.Notice != nil && !*c.Notice}}
}
