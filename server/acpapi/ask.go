package acpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/coder/acp-go-sdk"
)

// The options of a question.
const (
	optionOnce   = "allow-once"
	optionAlways = "allow-always"
	optionNo     = "reject-once"
)

// ask puts a question before the human at the editor. Only an answer to this
// very question that names one of its allowing options is a yes.
func (t *turn) ask(ctx context.Context, id acp.ToolCallId, q Question) (Verdict, error) {
	options := []acp.PermissionOption{{OptionId: optionOnce, Kind: acp.PermissionOptionKindAllowOnce, Name: "Allow once"}}
	if q.Always {
		options = append(options, acp.PermissionOption{OptionId: optionAlways, Kind: acp.PermissionOptionKindAllowAlways, Name: "Allow this very call for 8 hours"})
	}
	options = append(options, acp.PermissionOption{OptionId: optionNo, Kind: acp.PermissionOptionKindRejectOnce, Name: "Reject"})
	text := q.Title
	if len(q.Notes) > 0 {
		text += "\n\n" + strings.Join(q.Notes, "\n")
	}
	_ = t.update(acp.UpdateToolCall(id, acp.WithUpdateStatus(acp.ToolCallStatusPending)))
	resp, err := t.e.client.RequestPermission(ctx, acp.RequestPermissionRequest{
		SessionId: t.session, Options: options,
		ToolCall: acp.ToolCallUpdate{
			ToolCallId: id, Title: acp.Ptr(clip(q.Title, 1000)), Kind: acp.Ptr(kind(q.Tool)), Status: acp.Ptr(acp.ToolCallStatusPending),
			RawInput: t.input(q.Args), Content: []acp.ToolCallContent{acp.ToolContent(acp.TextBlock(clip(text, maxShown)))},
		},
	})
	switch {
	case err != nil:
		return Verdict{}, err
	case resp.Outcome.Selected == nil:
		return Verdict{Note: "cancelled at the editor"}, nil
	}
	switch resp.Outcome.Selected.OptionId {
	case optionOnce:
		_ = t.update(acp.UpdateToolCall(id, acp.WithUpdateStatus(acp.ToolCallStatusInProgress)))
		return Verdict{Allow: true}, nil
	case optionAlways:
		if !q.Always {
			return Verdict{}, errors.New("an answer that was not offered")
		}
		return Verdict{Allow: true, Always: true}, nil
	case optionNo:
		return Verdict{Note: "rejected at the editor"}, nil
	}
	return Verdict{}, errors.New("an answer that was not offered")
}
