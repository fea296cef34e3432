package agentapi

import (
	"time"

	"github.com/chitin-sh/chitin/agent"
)

type object = map[string]any

// chat is the chat-completions protocol.
type chat struct{}

func (chat) usage(o agent.Outcome) object {
	return object{"prompt_tokens": o.Usage.Input, "completion_tokens": o.Usage.Output, "total_tokens": o.Usage.Input + o.Usage.Output}
}

func (chat) finish(o agent.Outcome) string {
	if o.Stopped != "" {
		return "length"
	}
	return "stop"
}

func (c chat) whole(id string, o agent.Outcome) any {
	return object{
		"id": id, "object": "chat.completion", "created": time.Now().Unix(), "model": "chitin", "usage": c.usage(o),
		"choices": []object{{"index": 0, "finish_reason": c.finish(o), "message": object{"role": "assistant", "content": o.Text}}},
	}
}

func (chat) chunk(id string, delta object, finish any) object {
	return object{
		"id": id, "object": "chat.completion.chunk", "created": time.Now().Unix(), "model": "chitin",
		"choices": []object{{"index": 0, "delta": delta, "finish_reason": finish}},
	}
}

func (c chat) delta(id, text string) any {
	return c.chunk(id, object{"role": "assistant", "content": text}, nil)
}

func (c chat) last(id string, o agent.Outcome) []any {
	end := c.chunk(id, object{}, c.finish(o))
	end["usage"] = c.usage(o)
	return []any{end}
}

func (chat) end() string { return "data: [DONE]\n\n" }

// responses is the responses protocol.
type responses struct{}

func (responses) whole(id string, o agent.Outcome) any {
	status := "completed"
	if o.Stopped != "" {
		status = "incomplete"
	}
	return object{
		"id": id, "object": "response", "created_at": time.Now().Unix(), "status": status, "model": "chitin",
		"output": []object{{"type": "message", "id": id + "-0", "role": "assistant", "status": "completed",
			"content": []object{{"type": "output_text", "text": o.Text, "annotations": []any{}}}}},
		"output_text": o.Text,
		"usage":       object{"input_tokens": o.Usage.Input, "output_tokens": o.Usage.Output, "total_tokens": o.Usage.Input + o.Usage.Output},
	}
}

func (responses) delta(id, text string) any {
	return object{"type": "response.output_text.delta", "item_id": id + "-0", "output_index": 0, "content_index": 0, "delta": text}
}

func (r responses) last(id string, o agent.Outcome) []any {
	return []any{object{"type": "response.completed", "response": r.whole(id, o)}}
}

func (responses) end() string { return "" }
