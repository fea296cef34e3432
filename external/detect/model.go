package detect

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"unsafe"
)

// modelBits is the size of the weight table: 2^modelBits weights of one byte.
const modelBits = 20

// weights.bin is a header (see ParseModel) and the weights. It is written by
// ./train; the texts it was trained on are not kept.
//
//go:embed weights.bin
var weightsFile string

// Model is a linear model over hashed words, word pairs and triples, prefixes,
// concepts and rule hits, weighed in windows of a text, and a second one over
// what the windows and rules of a text come to.
type Model struct {
	W         string             // 2^modelBits weights, int8 each
	Scale     float64            // of a weight, in log-odds
	Combine   [Summaries]float64 // of the parts of a Summary
	Threshold float64            // log-odds from which a text is flagged
	Slope     float64            // from log-odds above the threshold to those of the score
}

const (
	modelMagic  = "CHITINW4"
	modelFloats = 3 + Summaries
)

// ParseModel reads a model as Bytes writes it. The weights are not copied.
func ParseModel(s string) (*Model, error) {
	const head = len(modelMagic) + 8*modelFloats
	if len(s) != head+1<<modelBits || s[:len(modelMagic)] != modelMagic {
		return nil, fmt.Errorf("no model of 2^%d weights", modelBits)
	}
	f := func(i int) float64 {
		return math.Float64frombits(binary.LittleEndian.Uint64([]byte(s[len(modelMagic)+8*i:][:8])))
	}
	m := &Model{W: s[head:], Scale: f(0), Threshold: f(1), Slope: f(2)}
	sum := m.Threshold
	for i := range m.Combine {
		m.Combine[i] = f(3 + i)
		sum += m.Combine[i]
	}
	if !(m.Scale > 0 && m.Slope > 0) || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, fmt.Errorf("model has no scale")
	}
	return m, nil
}

// Bytes is the model as a file.
func (m *Model) Bytes() []byte {
	b := []byte(modelMagic)
	for _, f := range append([]float64{m.Scale, m.Threshold, m.Slope}, m.Combine[:]...) {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	return append(b, m.W...)
}

var embedded = sync.OnceValue(func() *Model {
	m, err := ParseModel(weightsFile)
	if err != nil {
		panic("detect: embedded weights: " + err.Error()) // part of the program; a test loads them
	}
	return m
})

// table is the weights in place; a model of another size has no opinion.
func (m *Model) table() *[Slots]int8 {
	if len(m.W) != Slots {
		return new([Slots]int8)
	}
	return (*[Slots]int8)(unsafe.Pointer(unsafe.StringData(m.W))) // only read
}

// slot is the place of a feature in the table. Kinds of features are told
// apart by the constants they are multiplied with.
func slot(h, kind uint32) uint32 { return (h * kind) >> (32 - modelBits) }

// Kinds of features.
const (
	kindWord   = 0x9E3779B1
	kindPair   = 0x85EBCA77
	kindTriple = 0xC2B2AE3D
	kindSkip   = 0x27D4EB2F
	kindStem   = 0x165667B1
	kindFour   = 0xD3A2646D
	kindRule   = 0xFD7046C5
)

// slots are the five features of a token: b, t, q and k are the hashes of the
// last two, three and four tokens and of the pair with one left out.
func slots(w *tok, b, t, q, k uint32) (f [5]uint32, n int) {
	f[0], f[1], f[2] = slot(w.h, kindWord), slot(b, kindPair), slot(t, kindTriple)
	if w.p == 0 {
		f[3] = slot(q, kindFour)
		return f, 4
	}
	f[3], f[4] = slot(k, kindSkip), slot(w.p, kindStem)
	return f, 5
}

// patternSlot is the feature of a pattern's hit. It does not depend on the
// pattern's place among the others.
func patternSlot(id, text string) uint32 {
	var h hasher
	for _, part := range [...]string{id, text} {
		for i := range len(part) {
			h.byte(part[i])
		}
	}
	return slot(h.sum(), kindRule)
}

// score is the probability of log-odds: a half at the threshold.
func (m *Model) score(odds float64) float64 { return Sigmoid(m.Slope * (odds - m.Threshold)) }

// Sigmoid is the probability of log-odds.
func Sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
