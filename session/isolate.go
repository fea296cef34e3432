package session

import (
	"context"
	"fmt"
)

// Isolate opens a background session of its own, such as a schedule's, under
// exactly the given policy. One that is there already, whoever made it, gets
// this policy and creator and keeps its label if that is untrusted.
func (s *Store) Isolate(ctx context.Context, tenant string, key Key, creator, label, inherited string) (Session, error) {
	now := s.now().UnixMilli()
	_, err := s.db.ExecContext(ctx, `INSERT INTO sessions (tenant, key, agent, label, creator, inherited, created, updated)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
		label = iif(label = '', excluded.label, label), creator = excluded.creator, inherited = excluded.inherited, updated = excluded.updated`,
		tenant, key.String(), key.Agent, label, creator, inherited, now, now)
	if err != nil {
		return Session{}, fmt.Errorf("session: %w", err)
	}
	return s.load(ctx, id{tenant, key.String()})
}
