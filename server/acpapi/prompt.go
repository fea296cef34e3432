package acpapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/coder/acp-go-sdk"

	"github.com/chitin-sh/chitin/agent"
)

// Prompt does one turn and streams what happens in it.
func (e *editor) Prompt(ctx context.Context, r acp.PromptRequest) (acp.PromptResponse, error) {
	defer e.c.begun()
	v, err := e.view(string(r.SessionId))
	if err != nil {
		return acp.PromptResponse{}, err
	}
	text, attached, err := read(r.Prompt)
	if err != nil {
		return acp.PromptResponse{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	mode, notice, err := e.start(v, &cancel)
	if err != nil {
		return acp.PromptResponse{}, err
	}
	defer e.finish(v, &cancel)
	e.c.begun()
	t := &turn{e: e, session: r.SessionId}
	t.say(notice)
	out, err := e.c.s.deps.Backend.Prompt(ctx, e.c.caller, Prompt{
		Session: string(r.SessionId), Text: text, Attached: attached, ReadOnly: mode == modeRead, Via: e.via,
		Delta: t.say, Thought: t.think, Calls: t.plan, Begin: t.begin,
	})
	if ctx.Err() != nil {
		return acp.PromptResponse{StopReason: acp.StopReasonCancelled}, nil
	}
	if err != nil {
		return acp.PromptResponse{}, public(err)
	}
	return acp.PromptResponse{StopReason: reason(out)}, nil
}

func reason(o agent.Outcome) acp.StopReason {
	switch o.Stopped {
	case "steps":
		return acp.StopReasonMaxTurnRequests
	case "":
		return acp.StopReasonEndTurn
	}
	return acp.StopReasonMaxTokens
}

// start notes a turn so that it can be cancelled.
func (e *editor) start(v *view, cancel *context.CancelFunc) (mode, notice string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return "", "", acp.NewInvalidRequest("the connection is over")
	}
	e.work.Add(1)
	v.cancels[cancel] = struct{}{}
	notice, v.notice = v.notice, ""
	return v.mode, notice, nil
}

func (e *editor) finish(v *view, cancel *context.CancelFunc) {
	e.mu.Lock()
	delete(v.cancels, cancel)
	e.mu.Unlock()
	e.work.Done()
}

// read takes a prompt apart: what the human wrote, and texts that the editor
// attached.
func read(blocks []acp.ContentBlock) (string, []Attachment, error) {
	if len(blocks) == 0 || len(blocks) > maxBlocks {
		return "", nil, acp.NewInvalidParams(fmt.Sprintf("a prompt has 1 to %d blocks", maxBlocks))
	}
	var text strings.Builder
	var attached []Attachment
	size := 0
	for _, b := range blocks {
		switch {
		case b.Text != nil:
			text.WriteString(b.Text.Text)
			size += len(b.Text.Text)
		case b.ResourceLink != nil:
			link := fmt.Sprintf("[%s](%s)", b.ResourceLink.Name, b.ResourceLink.Uri)
			text.WriteString(link)
			size += len(link)
		case b.Resource != nil && b.Resource.Resource.TextResourceContents != nil:
			res := b.Resource.Resource.TextResourceContents
			text.WriteString("[attached: " + res.Uri + "]")
			attached = append(attached, Attachment{res.Uri, res.Text})
			size += 2*len(res.Uri) + len(res.Text)
		default:
			return "", nil, acp.NewInvalidParams("a prompt holds text, links and attached text")
		}
	}
	if size > maxPrompt {
		return "", nil, acp.NewInvalidParams(fmt.Sprintf("a prompt is at most %d KiB", maxPrompt>>10))
	}
	if strings.TrimSpace(text.String()) == "" {
		return "", nil, acp.NewInvalidParams("the prompt is empty")
	}
	return text.String(), attached, nil
}

// replay shows what was said in a session.
func (e *editor) replay(ctx context.Context, id acp.SessionId, said []Entry) error {
	t := &turn{e: e, session: id}
	for _, m := range said {
		var err error
		switch m.Role {
		case "user":
			err = t.update(acp.UpdateUserMessageText(m.Text))
		case "assistant":
			t.say(m.Text)
			for _, c := range m.Calls {
				t.seen(c)
			}
		case "tool":
			t.answered(m)
		}
		if err = firstError(err, ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
