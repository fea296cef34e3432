package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/chitin-sh/chitin/mcpclient"
	"github.com/chitin-sh/chitin/mcpclient/link"
	"github.com/chitin-sh/chitin/secrets"
)

// dial makes the connection; the function says how a process ended.
func (u *unit) dial(ctx context.Context) (connection, func() string, error) {
	if d := u.hub.o.dial; d != nil {
		return d(ctx, u, u.cfg)
	}
	o := link.Options{
		Server: u.key.server, ResultLimit: u.cfg.ResultLimit(), Version: u.hub.o.Version, Log: u.log, Changed: u.listChanged, Grace: u.hub.o.Grace,
	}
	if u.cfg.Kind() != mcpclient.Stdio {
		headers, err := u.resolve("headers", u.cfg.Headers)
		if err != nil {
			return nil, nil, err
		}
		secret, err := u.resolve("oauth", map[string]secrets.Field{"clientSecret": u.cfg.OAuth.ClientSecret})
		if err != nil {
			return nil, nil, err
		}
		login, err := link.Login(u.cfg, secret["clientSecret"])
		if err != nil {
			return nil, nil, err
		}
		if o.Transport, o.Stop, err = link.Remote(u.cfg, headers, login); err != nil {
			return nil, nil, err
		}
		l, err := link.Dial(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		return l, nil, nil
	}
	return u.dialBox(ctx, o)
}

// dialBox starts the server in a fresh box of its own.
func (u *unit) dialBox(ctx context.Context, o link.Options) (connection, func() string, error) {
	boxes := u.hub.o.Boxes
	if boxes == nil {
		return nil, nil, errors.New("no sandbox can be made here")
	}
	env, err := u.resolve("env", u.cfg.Env)
	if err != nil {
		return nil, nil, err
	}
	boxes.Drop(u.key.tenant, u.key.server) // an earlier gateway may have left one
	box, err := boxes.Box(ctx, u.key.tenant, u.key.server)
	if err != nil {
		return nil, nil, fmt.Errorf("its sandbox: %w", err)
	}
	p, err := link.Start(u.hub.ctx, box, u.key.server, u.cfg, env, u.log)
	if err != nil {
		return nil, nil, err
	}
	o.Transport, o.Stop = p.Transport(link.FrameLimit(u.cfg.ResultLimit())), p.Stop
	l, err := link.Dial(ctx, o)
	if err != nil {
		if end := p.End(); end != "" {
			err = fmt.Errorf("%w (%s)", err, end)
		}
		return nil, nil, err
	}
	return l, p.End, nil
}

// resolve gives every declared field its value; one that is missing stops the
// start, and is named.
func (u *unit) resolve(kind string, fields map[string]secrets.Field) (map[string]string, error) {
	out := make(map[string]string, len(fields))
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		v, ok := u.hub.value(u.key.server, kind, k, fields[k])
		if !ok {
			return nil, fmt.Errorf("the secret of %s is not there: see chitin secrets audit", mcpclient.SecretPath(u.key.server, kind, k))
		}
		out[k] = v
	}
	return out, nil
}
