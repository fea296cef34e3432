// Package file is the provider that reads secrets from files which only we
// can read: one JSON document addressed by JSON pointers, one value a file,
// or a directory of such files.
package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/securepath"
)

// Provider reads one file, or the files of one directory.
type Provider struct {
	Path, Dir string // absolute; exactly one is set
	Single    bool   // the whole file is the value
	Rules     securepath.Rules
	Timeout   time.Duration // for one batch; 5 s when zero
}

const defaultTimeout = 5 * time.Second

// Resolve reads the file once for all ids, or one file an id. A file system
// that hangs costs Timeout, not a start that never ends.
func (p *Provider) Resolve(ctx context.Context, ids []string) map[string]secrets.Result {
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan map[string]secrets.Result, 1)
	go func() { done <- p.resolve(ctx, ids) }()
	select {
	case out := <-done:
		return out
	case <-ctx.Done():
		return secrets.FailAll(ids, secrets.AsError(ctx.Err()))
	}
}

func (p *Provider) resolve(ctx context.Context, ids []string) map[string]secrets.Result {
	out := make(map[string]secrets.Result, len(ids))
	if p.Dir != "" {
		for _, id := range ids {
			out[id] = p.fromDir(ctx, id)
		}
		return out
	}
	data, err := securepath.Read(ctx, p.Path, p.Rules)
	if err != nil {
		return secrets.FailAll(ids, readError(p.Path, err))
	}
	defer securepath.Wipe(data)
	if p.Single {
		for _, id := range ids {
			out[id] = singleValue(id, p.Path, data)
		}
		return out
	}
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		return secrets.FailAll(ids, secrets.Fail(secrets.CodeInvalid, p.Path+" is not valid JSON", "correct the file, or set mode: singleValue"))
	}
	for _, id := range ids {
		out[id] = atPointer(doc, id, p.Path)
	}
	return out
}

func (p *Provider) fromDir(ctx context.Context, id string) secrets.Result {
	name, pointer, _ := strings.Cut(strings.TrimPrefix(id, "/"), "/")
	if name == "" || name == "." || name == ".." || (p.Single && pointer != "") {
		return secrets.Result{Err: secrets.Fail(secrets.CodeRefInvalid, fmt.Sprintf("id %q is not a file name", id), "use the name of a file in "+p.Dir)}
	}
	path := filepath.Join(p.Dir, name)
	data, err := securepath.Read(ctx, path, p.Rules)
	if err != nil {
		return secrets.Result{Err: readError(path, err)}
	}
	defer securepath.Wipe(data)
	if pointer == "" {
		return value(string(data), path)
	}
	var doc any
	if err := json.Unmarshal(data, &doc); err != nil {
		return secrets.Result{Err: secrets.Fail(secrets.CodeInvalid, path+" is not valid JSON", "correct the file")}
	}
	return atPointer(doc, "/"+pointer, path)
}

func singleValue(id, path string, data []byte) secrets.Result {
	if id != "value" {
		return secrets.Result{Err: secrets.Fail(secrets.CodeRefInvalid, fmt.Sprintf("id %q: a singleValue file has one id, value", id), "write id: value")}
	}
	return value(string(data), path)
}

func value(s, at string) secrets.Result {
	if s = strings.TrimSpace(s); s == "" {
		return secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, at+" is empty", "write the secret into it")}
	}
	if len(s) > secrets.MaxValueBytes {
		return secrets.Result{Err: secrets.Fail(secrets.CodeInvalid, fmt.Sprintf("%s holds more than %d bytes", at, secrets.MaxValueBytes), "point at the right file")}
	}
	return secrets.Result{Value: secrets.NewValue(s)}
}

// atPointer follows an RFC 6901 pointer to a string.
func atPointer(doc any, pointer, path string) secrets.Result {
	missing := secrets.Result{Err: secrets.Fail(secrets.CodeNotFound, fmt.Sprintf("%s has nothing at %s", path, pointer), "correct the id, or add the value to the file")}
	if !strings.HasPrefix(pointer, "/") {
		return secrets.Result{Err: secrets.Fail(secrets.CodeRefInvalid, fmt.Sprintf("id %q is not a JSON pointer", pointer), "write it with slashes, such as /gateway/token")}
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for part := range strings.SplitSeq(pointer[1:], "/") {
		next, ok := child(doc, unescape.Replace(part))
		if !ok {
			return missing
		}
		doc = next
	}
	s, ok := doc.(string)
	if !ok {
		return secrets.Result{Err: secrets.Fail(secrets.CodeInvalid, fmt.Sprintf("%s: what is at %s is not a string", path, pointer), "put the value in quotes")}
	}
	return value(s, path+" at "+pointer)
}

func child(doc any, key string) (any, bool) {
	switch d := doc.(type) {
	case map[string]any:
		v, ok := d[key]
		return v, ok
	case []any:
		var i int
		if _, err := fmt.Sscanf(key, "%d", &i); err != nil || fmt.Sprint(i) != key || i < 0 || i >= len(d) {
			return nil, false
		}
		return d[i], true
	}
	return nil, false
}

func readError(path string, err error) *secrets.Error {
	var p *securepath.Problem
	switch {
	case errors.As(err, &p):
		return secrets.Fail(secrets.CodePathInsecure, p.Error(), p.Fix)
	case errors.Is(err, fs.ErrNotExist):
		return secrets.Fail(secrets.CodeNotFound, path+" does not exist", "create it with mode 0600")
	case errors.Is(err, fs.ErrPermission):
		return secrets.Fail(secrets.CodePathInsecure, path+" cannot be opened: permission denied", "make it ours with mode 0600")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return secrets.AsError(context.DeadlineExceeded)
	}
	return secrets.Fail(secrets.CodeProviderError, path+" cannot be read", "look at the file and its file system")
}
