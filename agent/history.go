package agent

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/session"
)

// omitted stands where older messages were left out.
const omitted = "[earlier messages of this session were left out to fit]"

// lost stands for the answer to a call that a stopped gateway never gave.
const lost = "[the outcome of this call is unknown: the gateway was stopped during it]"

// unit is what is kept or left out as one: a message, or a model's answer with
// the answers to all its calls.
type unit struct {
	first, last int64 // sequence numbers
	msgs        []Msg
	tokens      int
	task        bool // what the running turn is about
}

// units groups a history. Every call has its answer in the same unit, also
// where something else was said in between. Text from outside is wrapped.
func (l *Loop) units(history []session.Message, images map[int64][]Image) []unit {
	var out []unit
	open := map[string]int{} // calls without an answer yet, by the unit they are in
	task := -1
	for _, m := range history {
		switch m.Role {
		case session.RoleAssistant:
			settle(out, open)
			msg := Msg{Role: "assistant", Text: m.Text}
			_ = json.Unmarshal(m.Calls, &msg.Calls) // we wrote it
			for _, c := range msg.Calls {
				open[c.ID] = len(out)
			}
			out = append(out, unit{first: m.Seq, last: m.Seq, msgs: []Msg{msg}})
		case session.RoleTool:
			var a Answer
			_ = json.Unmarshal(m.Calls, &a) // we wrote it
			at, ok := open[a.ID]
			if !ok {
				continue // its call was left out
			}
			delete(open, a.ID)
			a.Text, a.Images = m.Text, images[m.Seq]
			out[at].answer(a)
			out[at].last = m.Seq
		default:
			if m.Role == session.RoleUser {
				task = len(out)
			}
			out = append(out, unit{first: m.Seq, last: m.Seq, msgs: []Msg{{Role: "user", Text: l.text(m)}}})
		}
	}
	settle(out, open)
	if task >= 0 {
		out[task].task = true
	}
	for i := range out {
		out[i].count()
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

func (u *unit) answer(a Answer) {
	if len(u.msgs) == 1 {
		u.msgs = append(u.msgs, Msg{Role: "user"})
	}
	u.msgs[1].Answers = append(u.msgs[1].Answers, a)
}

// settle answers the calls that nobody answered.
func settle(us []unit, open map[string]int) {
	if len(open) == 0 {
		return
	}
	for i := range us {
		for _, c := range us[i].msgs[0].Calls {
			if at, ok := open[c.ID]; ok && at == i {
				us[i].answer(Answer{ID: c.ID, Name: c.Name, Text: lost, Error: true})
				delete(open, c.ID)
			}
		}
	}
}

// perImage is what an image costs, and perMessage what a message does beside
// its text, in tokens.
const (
	perImage   = 1600
	perMessage = 8
)

func (u *unit) count() {
	u.tokens = 0
	for _, m := range u.msgs {
		u.tokens += perMessage + Tokens(m.Text)
		for _, c := range m.Calls {
			u.tokens += perMessage + Tokens(c.Name) + Tokens(string(c.Args))
		}
		for _, a := range m.Answers {
			u.tokens += perMessage + Tokens(a.Text) + perImage*len(a.Images)
		}
	}
}

// Tokens estimates what a text costs, rather too much than too little: four
// bytes of ASCII are one, and so is every other character.
func Tokens(s string) int {
	other := 0
	ascii := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			ascii++
			i++
			continue
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		other++
		i += n
	}
	return (ascii+3)/4 + other
}

func total(us []unit) int {
	n := 0
	for _, u := range us {
		n += u.tokens
	}
	return n
}

// stub replaces the answers of a unit by a word about them and reports whether
// that made it smaller.
func (u *unit) stub() bool {
	if len(u.msgs) < 2 {
		return false
	}
	before := u.tokens
	answers := append([]Answer{}, u.msgs[1].Answers...)
	for i, a := range answers {
		s := fmt.Sprintf("[result of %s left out to fit: %d bytes]", a.Name, len(a.Text))
		if len(s) < len(a.Text) || len(a.Images) > 0 {
			answers[i].Text, answers[i].Images = s, nil
		}
	}
	u.msgs = []Msg{u.msgs[0], {Role: "user", Answers: answers}}
	u.count()
	return u.tokens < before
}

// shorten cuts the texts of a unit that does not fit by itself.
func (u *unit) shorten(budget int) {
	parts := 0
	for _, m := range u.msgs {
		parts += 1 + len(m.Answers)
	}
	most := max(budget*2/max(parts, 1), 64) // bytes; half of the budget in ASCII
	u.msgs = append([]Msg{}, u.msgs...)
	for i := range u.msgs {
		m := &u.msgs[i]
		m.Text = cut(m.Text, most)
		m.Answers = append([]Answer(nil), m.Answers...)
		for j := range m.Answers {
			m.Answers[j].Text = cut(m.Answers[j].Text, most)
		}
	}
	u.count()
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "\n[cut to fit]"
}
