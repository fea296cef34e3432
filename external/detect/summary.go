package detect

import (
	"math"
	"math/bits"
)

// Summary is what a text comes to: its windows, and the rules that fired.
type Summary struct {
	Best   float64 // log-odds of the heaviest window
	Chunks int     // pieces of some words
	Strong int     // high rules that fired
	Hints  int     // other rules that fired
	Quotes int     // times that a rule fired in a quotation
	Talk   int     // words of those who write about attacks
	Sure   bool    // a rule fired that needs no weighing
}

// Summaries is the number of parts of a Summary's Vector.
const Summaries = 7

// Vector are the parts of s that are weighed: one, the heaviest window, the
// doublings of the length, high rules (none in an article about attacks, which
// names them too), other rules, the doublings of words about attacks, and what
// such an article quotes.
func (s Summary) Vector() [Summaries]float64 {
	plain, quotes := float64(min(2, s.Strong)), 0.0
	if s.article() {
		plain, quotes = 0, float64(min(3, s.Quotes))
	}
	return [Summaries]float64{1, s.Best, math.Log2(float64(max(1, s.Chunks))), plain, float64(min(4, s.Hints)), math.Log2(float64(1 + s.Talk)), quotes}
}

// article reports whether the text is about attacks.
func (s Summary) article() bool { return s.Talk >= talks && s.Talk*talkEvery >= s.Chunks }

// Odds are the log-odds of a text.
func (m *Model) Odds(s Summary) (odds float64) {
	for i, v := range s.Vector() {
		odds += m.Combine[i] * v
	}
	if s.Sure && !s.article() {
		odds = max(odds, m.Threshold+sureOdds/m.Slope)
	}
	return odds
}

// sureOdds is the least score, in log-odds, of a text in which a sure rule fired.
const sureOdds = 1

// summary is what the last run came to.
func (s *scanner) summary() Summary {
	return Summary{
		Best: s.model.Scale * s.best, Chunks: s.chunks,
		Strong: bits.OnesCount64(s.strong), Hints: bits.OnesCount64(s.hints), Quotes: s.quotes, Talk: s.talk, Sure: s.sure,
	}
}
