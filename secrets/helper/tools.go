package helper

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/secrets/doc"
)

// vault reads "path#field" with "vault kv get"; the field is value when none
// is named.
func (o *Options) vault(ctx context.Context, id string) (string, error) {
	path, field, ok := strings.Cut(id, "#")
	if !ok {
		field = "value"
	}
	return o.call(ctx, "kv", "get", "-field="+field, path)
}

// pass shows an entry: its first line, or the line "field: …" of
// "entry#field".
func (o *Options) pass(ctx context.Context, id string) (string, error) {
	entry, field, hasField := strings.Cut(id, "#")
	text, err := o.call(ctx, "show", entry)
	if err != nil {
		return "", err
	}
	lines := strings.Split(text, "\n")
	if !hasField {
		return strings.TrimRight(lines[0], "\r"), nil
	}
	for _, line := range lines[1:] {
		if name, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(name), field) {
			return strings.TrimSpace(v), nil
		}
	}
	return "", errNotFound
}

// age decrypts one file, JSON or NAME=value lines, and answers from it: a
// JSON pointer or key, or a name.
func (o *Options) age(ctx context.Context) (resolver, error) {
	if !filepath.IsAbs(o.File) || !filepath.IsAbs(o.Identity) {
		return nil, errors.New("age needs --file and --identity, both absolute paths")
	}
	text, err := o.call(ctx, "--decrypt", "--identity", o.Identity, o.File)
	if err != nil {
		return nil, errors.New("age could not decrypt " + o.File)
	}
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		return func(_ context.Context, id string) (string, error) { return lookup(v, id) }, nil
	}
	root, err := doc.Parse(doc.Env, []byte(text))
	if err != nil {
		return nil, errors.New(o.File + " is neither JSON nor NAME=value lines")
	}
	return func(_ context.Context, id string) (string, error) {
		if n := root.Child(id); n != nil && n.Value != "" {
			return n.Value, nil
		}
		return "", errNotFound
	}, nil
}

// lookup follows "a/b" through maps to a string.
func lookup(v any, id string) (string, error) {
	for key := range strings.SplitSeq(strings.TrimPrefix(id, "/"), "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return "", errNotFound
		}
		v = m[key]
	}
	if s, ok := v.(string); ok && s != "" {
		return s, nil
	}
	return "", errNotFound
}
