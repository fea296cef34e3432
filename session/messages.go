package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of messages.
const (
	MaxText    = 1 << 20 // bytes of one message; longer text is cut
	MaxHistory = 1000    // messages of one answer
	MaxHits    = 25      // of one search
)

// The roles of a message. An event is something that happened to a session,
// such as a webhook, and that nobody answered yet.
const (
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
	RoleEvent     = "event"
)

// Message is one entry of a session's history.
type Message struct {
	Seq     int64           `json:"seq"`
	Role    string          `json:"role"`
	Author  string          `json:"author,omitempty"` // principal, agent or tool
	Text    string          `json:"text"`
	Calls   json.RawMessage `json:"calls,omitempty"` // tool calls of an assistant message
	Label   string          `json:"label,omitempty"`
	Created time.Time       `json:"created"`
}

// Append adds a message to a session that exists and joins the message's label
// into the session's.
func (s *Store) Append(ctx context.Context, tenant, key string, m Message) (Message, error) {
	if len(m.Text) > MaxText {
		m.Text = m.Text[:MaxText]
	}
	m.Text = strings.ToValidUTF8(m.Text, "\uFFFD")
	m.Created = s.now()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return m, fmt.Errorf("session: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	err = tx.QueryRowContext(ctx, `INSERT INTO messages (tenant, session, seq, role, author, text, calls, label, created)
		SELECT ?1, ?2, 1 + coalesce((SELECT max(seq) FROM messages WHERE tenant = ?1 AND session = ?2), 0), ?3, ?4, ?5, ?6, ?7, ?8
		WHERE EXISTS (SELECT 1 FROM sessions WHERE tenant = ?1 AND key = ?2) RETURNING seq`,
		tenant, key, m.Role, m.Author, m.Text, string(m.Calls), m.Label, m.Created.UnixMilli()).Scan(&m.Seq)
	if err != nil {
		return m, notFound(err)
	}
	if err := tx.Commit(); err != nil {
		return m, fmt.Errorf("session: %w", err)
	}
	return m, s.Taint(ctx, tenant, key, m.Label)
}

// History returns the newest messages of a session before a sequence number (0:
// the end), oldest first, and whether there are older ones.
func (s *Store) History(ctx context.Context, tenant, key string, limit int, before int64) (out []Message, more bool, err error) {
	limit = min(max(limit, 1), MaxHistory)
	if before <= 0 {
		before = 1 << 62
	}
	rows, err := s.db.QueryContext(ctx, `SELECT seq, role, author, text, calls, label, created FROM messages
		WHERE tenant = ? AND session = ? AND seq < ? ORDER BY seq DESC LIMIT ?`, tenant, key, before, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("session: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var m Message
		var calls string
		var created int64
		if err := rows.Scan(&m.Seq, &m.Role, &m.Author, &m.Text, &calls, &m.Label, &created); err != nil {
			return nil, false, fmt.Errorf("session: %w", err)
		}
		if calls != "" {
			m.Calls = json.RawMessage(calls)
		}
		m.Created = time.UnixMilli(created)
		out = append(out, m)
	}
	if len(out) > limit {
		out, more = out[:limit], true
	}
	slices.Reverse(out)
	return out, more, rows.Err()
}

// Hit is one message that a search found.
type Hit struct {
	Session string `json:"sessionKey"`
	Seq     int64  `json:"messageId"`
	Role    string `json:"role"`
	Excerpt string `json:"excerpt"`
	Label   string `json:"label,omitempty"`
}

// Search finds messages of a tenant that contain text, the newest first.
func (s *Store) Search(ctx context.Context, tenant, key, text string, limit int) ([]Hit, error) {
	like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(text) + "%"
	rows, err := s.db.QueryContext(ctx, `SELECT session, seq, role, text, label FROM messages
		WHERE tenant = ? AND (? = '' OR session = ?) AND text LIKE ? ESCAPE '\' ORDER BY created DESC LIMIT ?`,
		tenant, key, key, like, min(max(limit, 1), MaxHits))
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Hit
	for rows.Next() {
		var h Hit
		var body string
		if err := rows.Scan(&h.Session, &h.Seq, &h.Role, &body, &h.Label); err != nil {
			return nil, fmt.Errorf("session: %w", err)
		}
		h.Excerpt = excerpt(body, text)
		out = append(out, h)
	}
	return out, rows.Err()
}

// excerpt is the text around a hit.
func excerpt(body, text string) string {
	const around = 120
	i := max(strings.Index(strings.ToLower(body), strings.ToLower(text)), 0)
	from, to := max(i-around, 0), min(i+len(text)+around, len(body))
	return strings.ToValidUTF8(body[from:to], "")
}

// End forgets a session with its messages. A missing one is ErrNotFound.
func (s *Store) End(ctx context.Context, tenant, key string) error {
	res, err := s.db.ExecContext(ctx, `DELETE FROM sessions WHERE tenant = ? AND key = ?`, tenant, key)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	s.mu.Lock()
	delete(s.live, id{tenant, key})
	s.mu.Unlock()
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotFound, err)
	}
	return nil
}
