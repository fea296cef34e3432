package detect

import (
	"math"
	"sync"
)

// Slots is the number of weights of a model.
const Slots = 1 << modelBits

// Windows are the sizes, in chunks, of the windows that a text is weighed in.
var Windows = []int{1, 2, window}

// Norm is what the weights of a window of n tokens are multiplied with, so
// that long and short windows compare.
func Norm(n int) float64 { return 4 / math.Sqrt(float64(n)+6) }

// Text is a text as training sees it.
type Text struct {
	Chunks         [][]uint32 // the slots of the features of every few words
	Starts, Tokens []int      // where the chunks start, and how many words they have
	Summary        Summary    // without windows
}

// Features cuts a text as a scan does.
func Features(text string) (t Text) {
	s := newScanner(blank())
	var row []uint32
	s.tap = func(slot uint32) { row = append(row, slot) }
	s.run(text, func() {
		t.Chunks = append(t.Chunks, row)
		t.Starts = append(t.Starts, s.starts[(s.chunks-1)%window])
		t.Tokens = append(t.Tokens, s.counts[(s.chunks-1)%window])
		row = nil
	})
	t.Summary = s.summary()
	return t
}

// blank is a model of no opinion.
var blank = sync.OnceValue(func() *Model { return &Model{W: string(make([]byte, Slots)), Scale: 1} })
