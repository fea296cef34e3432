package textdiff

// maxEdits bounds the search: texts that differ more are shown as one block
// removed and one added, which costs nothing to compute.
const maxEdits = 600

// compare returns the lines of both texts in order, with what happened.
func compare(a, b []string) []op {
	pre := commonPrefix(a, b)
	post := 0
	for post < len(a)-pre && post < len(b)-pre && a[len(a)-1-post] == b[len(b)-1-post] {
		post++
	}
	w := writer{ops: make([]op, 0, len(a)+len(b)-pre-post), old: 1, new: 1}
	w.add(' ', a[:pre])
	midA, midB := a[pre:len(a)-post], b[pre:len(b)-post]
	if !w.search(midA, midB) {
		w.add('-', midA)
		w.add('+', midB)
	}
	w.add(' ', a[len(a)-post:])
	return w.ops
}

type writer struct {
	ops      []op
	old, new int
}

func (w *writer) add(kind byte, lines []string) {
	for _, l := range lines {
		w.ops = append(w.ops, op{kind: kind, text: l, old: w.old, new: w.new})
		if kind != '+' {
			w.old++
		}
		if kind != '-' {
			w.new++
		}
	}
}

// search finds a shortest edit script greedily along diagonals (Myers, 1986)
// and writes it; it gives up after maxEdits.
func (w *writer) search(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	limit := min(len(a)+len(b), maxEdits)
	v := make([]int, 2*limit+2)
	var trace [][]int
	for d := 0; d <= limit; d++ {
		trace = append(trace, append([]int(nil), v[limit-d:limit+d+2]...))
		for k := -d; k <= d; k += 2 {
			x := furthest(v, limit, k, d)
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			v[limit+k] = x
			if x >= len(a) && x-k >= len(b) {
				w.replay(a, b, trace)
				return true
			}
		}
	}
	return false
}

// furthest is where diagonal k starts in round d: one step down or right from
// its better neighbour.
func furthest(v []int, mid, k, d int) int {
	if k == -d || (k != d && v[mid+k-1] < v[mid+k+1]) {
		return v[mid+k+1]
	}
	return v[mid+k-1] + 1
}

// replay walks the trace back and writes the script forward.
func (w *writer) replay(a, b []string, trace [][]int) {
	type step struct {
		kind byte
		text string
	}
	var steps []step
	x, y := len(a), len(b)
	for d := len(trace) - 1; d >= 0; d-- {
		v := trace[d] // v[i] belongs to diagonal i-d
		k := x - y
		prev := k + 1
		if !(k == -d || (k != d && v[k-1+d] < v[k+1+d])) {
			prev = k - 1
		}
		px := 0
		if d > 0 {
			px = v[prev+d]
		}
		py := px - prev
		if d == 0 {
			py = 0
		}
		for x > px && y > py {
			x, y = x-1, y-1
			steps = append(steps, step{' ', a[x]})
		}
		if d == 0 {
			break
		}
		if prev == k+1 {
			y--
			steps = append(steps, step{'+', b[y]})
		} else {
			x--
			steps = append(steps, step{'-', a[x]})
		}
	}
	for i := len(steps) - 1; i >= 0; i-- {
		w.add(steps[i].kind, []string{steps[i].text})
	}
}
