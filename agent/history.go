package agent

import (
	"encoding/json"

	"github.com/chitin-sh/chitin/session"
)

// omitted stands where older messages were left out.
const omitted = "[earlier messages of this session were left out to fit]"

// lost stands for the answer to a call that a stopped gateway never gave.
const lost = "[the outcome of this call is unknown: the gateway was stopped during it]"

// messages turns a history into what a model gets: at most budget bytes, the
// newest kept whole, every call answered. Text from outside is wrapped; the
// session keeps its label whatever is left out.
func (l *Loop) messages(history []session.Message, budget int) []Msg {
	var out []Msg
	open := map[string]Call{} // calls without an answer yet
	for _, m := range history[fit(history, budget):] {
		switch m.Role {
		case session.RoleAssistant:
			out = settle(out, open)
			msg := Msg{Role: "assistant", Text: m.Text}
			_ = json.Unmarshal(m.Calls, &msg.Calls) // we wrote it
			for _, c := range msg.Calls {
				open[c.ID] = c
			}
			out = append(out, msg)
		case session.RoleTool:
			var a Answer
			if json.Unmarshal(m.Calls, &a) != nil || open[a.ID].ID == "" {
				continue // its call was left out
			}
			delete(open, a.ID)
			a.Text = m.Text
			out = appendAnswer(out, a)
		default:
			out = settle(out, open)
			out = append(out, Msg{Role: "user", Text: l.text(m)})
		}
	}
	out = settle(out, open)
	if len(out) < len(history) && len(out) > 0 && fit(history, budget) > 0 {
		out = append([]Msg{{Role: "user", Text: omitted}}, out...)
	}
	return out
}

// text wraps what came from outside and is not wrapped already.
func (l *Loop) text(m session.Message) string {
	if m.Label == "" || l.Seal == nil {
		return m.Text
	}
	return l.Seal(m.Label, m.Text)
}

// fit is the index of the first message that is sent: the newest that fit the
// budget, never beginning with a tool's answer.
func fit(history []session.Message, budget int) int {
	size, i := 0, len(history)
	for i > 0 {
		m := history[i-1]
		if size += len(m.Text) + len(m.Calls); size > budget && i < len(history) {
			break
		}
		i--
	}
	for i < len(history) && history[i].Role == session.RoleTool {
		i++
	}
	return i
}

func appendAnswer(out []Msg, a Answer) []Msg {
	if n := len(out); n > 0 && out[n-1].Role == "user" && len(out[n-1].Answers) > 0 {
		out[n-1].Answers = append(out[n-1].Answers, a)
		return out
	}
	return append(out, Msg{Role: "user", Answers: []Answer{a}})
}

// settle answers the calls that nobody answered.
func settle(out []Msg, open map[string]Call) []Msg {
	if len(open) == 0 || len(out) == 0 {
		return out
	}
	for i := len(out) - 1; i >= 0; i-- {
		for _, c := range out[i].Calls {
			if _, ok := open[c.ID]; ok {
				out = appendAnswer(out, Answer{ID: c.ID, Name: c.Name, Text: lost, Error: true})
				delete(open, c.ID)
			}
		}
	}
	return out
}
