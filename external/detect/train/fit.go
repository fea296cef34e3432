package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/chitin-sh/chitin/external/detect"
)

// params are the knobs of a fit.
type params struct {
	epochs, runs, warm, minDocs, minGroups, carriers, plants                                    int
	rate, l2, drop, mixed, context, own, benign, plain, length, hint, talk, quote, balance, fpr float64
}

func defaults() params {
	return params{epochs: 14, minDocs: 2, minGroups: 1, warm: 4, runs: 2, plain: 0.9, length: 0.25, hint: 0.1, talk: 0.1, quote: 0.7, fpr: 0.0025, carriers: 2500, plants: 4000, rate: 0.15, l2: 6e-2, drop: 0.5, mixed: 0.35, context: 0.35, own: 0.25, benign: 1}
}

// learner is a logistic model over the heaviest window of each text, fitted by
// stochastic gradient descent with a rate for every weight (Adagrad).
type learner struct {
	w, g    []float32
	bias    float64
	gBias   float64
	allowed []bool
	p       params
	rnd     *rand.Rand
}

// fit is the mean of several runs with other orders and other features left
// out: what only one of them believes is chance.
func fit(docs []*doc, p params) *learner {
	allowed := common(docs, p)
	var mean *learner
	for seed := range p.runs {
		l := fitOnce(docs, p, allowed, uint64(seed))
		if mean == nil {
			mean = l
			continue
		}
		for i, v := range l.w {
			mean.w[i] += v
		}
		mean.bias += l.bias
	}
	for i := range mean.w {
		mean.w[i] /= float32(p.runs)
	}
	mean.bias /= float64(p.runs)
	return mean
}

// fitOnce is the mean of the weights after each of the last passes.
func fitOnce(docs []*doc, p params, allowed []bool, seed uint64) *learner {
	l := &learner{
		w: make([]float32, detect.Slots), g: make([]float32, detect.Slots),
		allowed: allowed, p: p, rnd: rand.New(rand.NewPCG(7, 11+seed)), bias: -1,
	}
	sum, bias, n := make([]float32, detect.Slots), 0.0, 0
	order := make([]int, len(docs))
	for i := range order {
		order[i] = i
	}
	for e := range p.epochs {
		l.rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		rate := p.rate / (1 + 0.15*float64(e))
		for _, i := range order {
			if d := docs[i]; e < p.warm && d.Injection && !d.own && len(d.Chunks) > 10 {
				continue // where in a long text the attack stands is learned from the short ones first
			}
			l.learn(docs[i], rate)
		}
		if e >= p.epochs/2 {
			for i, v := range l.w {
				sum[i] += v
			}
			bias += l.bias
			n++
		}
	}
	for i := range sum {
		sum[i] /= float32(n)
	}
	l.w, l.bias = sum, bias/float64(n)
	return l
}

// common are the features that stand in enough texts and sources: what only
// one source says is its manner, not an attack.
func common(docs []*doc, p params) []bool {
	texts, groups := make([]uint8, detect.Slots), make([]uint8, detect.Slots)
	lastText, lastGroup := make([]int32, detect.Slots), make([]int32, detect.Slots)
	byGroup := slices.Clone(docs)
	slices.SortStableFunc(byGroup, func(a, b *doc) int { return strings.Compare(group(a.Source), group(b.Source)) })
	g := int32(0)
	for i, d := range byGroup {
		if i == 0 || group(d.Source) != group(byGroup[i-1].Source) {
			g++
		}
		for _, c := range d.Chunks {
			for _, f := range c {
				if lastText[f] != int32(i+1) {
					lastText[f] = int32(i + 1)
					texts[f] = min(texts[f], 254) + 1
				}
				if lastGroup[f] != g {
					lastGroup[f] = g
					groups[f] = min(groups[f], 254) + 1
				}
			}
		}
	}
	ok := make([]bool, detect.Slots)
	for f := range ok {
		ok[f] = int(texts[f]) >= p.minDocs && int(groups[f]) >= p.minGroups
	}
	return ok
}

// best is the heaviest window of d: its first and last chunk and its log-odds.
func (l *learner) best(d *doc) (from, to int, top float64) {
	prefix := make([]float64, len(d.Chunks)+1)
	tokens := make([]int, len(d.Chunks)+1)
	for i, c := range d.Chunks {
		sum := 0.0
		for _, f := range c {
			sum += float64(l.w[f])
		}
		prefix[i+1], tokens[i+1] = prefix[i]+sum, tokens[i]+d.Tokens[i]
	}
	top = math.Inf(-1)
	for end := 1; end <= len(d.Chunks); end++ {
		for _, size := range detect.Windows {
			start := max(0, end-size)
			if v := (prefix[end] - prefix[start]) * detect.Norm(tokens[end]-tokens[start]); v > top {
				from, to, top = start, end, v
			}
		}
	}
	return from, to, top
}

// learn moves the weights of the heaviest window of d, and for a harmless text
// of one more at random, towards its label.
func (l *learner) learn(d *doc, rate float64) {
	from, to, _ := l.best(d)
	l.update(d, from, to, rate)
	if !d.Injection && len(d.Chunks) > 1 {
		size := detect.Windows[l.rnd.IntN(len(detect.Windows))]
		from = l.rnd.IntN(len(d.Chunks))
		l.update(d, from, min(len(d.Chunks), from+size), rate)
	}
}

func (l *learner) update(d *doc, from, to int, rate float64) {
	keep := 1 - l.p.drop
	used := make([]uint32, 0, 512)
	sum, tokens := 0.0, 0
	for i, c := range d.Chunks[from:to] {
		tokens += d.Tokens[from+i]
		for _, f := range c {
			if l.allowed[f] && l.rnd.Float64() < keep {
				used = append(used, f)
				sum += float64(l.w[f]) / keep
			}
		}
	}
	norm := detect.Norm(tokens)
	odds := l.bias + sum*norm + l.p.plain*d.plain
	y := 0.0
	if d.Injection {
		y = 1
	}
	grad := (detect.Sigmoid(odds) - y) * d.weight
	if math.Abs(grad) < 1e-4 {
		return
	}
	for _, f := range used {
		g := float32(grad*norm + l.p.l2*float64(l.w[f]))
		l.g[f] += g * g
		l.w[f] -= float32(rate) * g / float32(math.Sqrt(float64(l.g[f])+1))
	}
	l.gBias += grad * grad
	l.bias -= rate * grad / math.Sqrt(l.gBias+1)
}
