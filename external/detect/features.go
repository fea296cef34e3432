package detect

import "sync"

import "math"

// Slots is the number of weights of a model.
const Slots = 1 << modelBits

// Windows are the sizes, in chunks, of the windows that a text is weighed in.
var Windows = []int{1, 2, window}

// Norm is what the weights of a window of n tokens are multiplied with, so
// that long and short windows compare.
func Norm(n int) float64 { return 4 / math.Sqrt(float64(n)+6) }

// Features are the slots of the features of every chunk of text, a chunk being
// a few words, where the chunks start, how many tokens they
// have, and how many high rules fired that need not be weighed.
func Features(text string) (chunks [][]uint32, starts, tokens []int, plain int) {
	s := newScanner(blank())
	var row []uint32
	s.tap = func(slot uint32) { row = append(row, slot) }
	s.run(text, func() {
		chunks = append(chunks, row)
		starts = append(starts, s.starts[(s.chunks-1)%window])
		tokens = append(tokens, s.counts[(s.chunks-1)%window])
		row = nil
	})
	return chunks, starts, tokens, s.plain()
}

// blank is a model of no opinion.
var blank = sync.OnceValue(func() *Model { return &Model{W: string(make([]byte, Slots)), Scale: 1} })
