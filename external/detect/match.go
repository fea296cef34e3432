package detect

// rules advances the patterns by the token at i, of which w is known.
func (s *scanner) rules(text string, i int, w *known) {
	rare, next := w.rare, w.next
	if s.pos > s.open {
		next = 0
	}
	for n := 0; (rare|next)>>n != 0; n++ {
		if (rare|next)>>n&1 == 0 {
			continue
		}
		hit := w.hit
		if n > 0 {
			hit = s.words.find(s.phrase(i, n)).hit
		}
		if hit == 0 {
			continue
		}
		p := &s.prog.hits[hit-1]
		if next>>n&1 != 0 {
			for _, e := range p.next {
				prev, begin := s.state[e.at-1], s.pos-n
				if prev.pos < begin && prev.pos+1+int(e.gap) >= begin {
					s.step(e, i, prev.start)
				}
			}
		}
		for _, e := range p.rare {
			if start := s.back(e, i-n); start >= 0 && (!s.prog.pats[e.pat].lineStart || lineStart(text, start)) {
				s.step(e, i, start)
			}
		}
	}
}

// back looks for the elements before e, the nearest first, from the token at j
// on which e begins, and is where in the text the first of them begins; -1 if
// one is missing.
func (s *scanner) back(e element, j int) int {
	for at := e.at; at > e.at-uint16(e.n); at-- {
		found, lasts := false, s.prog.lasts[at-1]
		for i := j - 1; i >= j-1-int(s.prog.gaps[at]) && i >= 3; i-- {
			if lasts&lastBit(s.buf[i].h) == 0 {
				continue
			}
			if n := s.ends(at-1, i); n > 0 {
				j, found = i-n+1, true
				break
			}
		}
		if !found {
			return -1
		}
	}
	return int(s.buf[j].start)
}

// ends is how many tokens that end at i complete the element; 0 if none do.
func (s *scanner) ends(at uint16, i int) int {
	h := s.buf[i].h
	if lens := s.prog.lens[at]; lens == 1 {
		if s.prog.member(at, h) {
			return 1
		}
	} else {
		for n := range 4 {
			if lens&(1<<n) != 0 && s.prog.member(at, s.phrase(i, n)) {
				return n + 1
			}
		}
	}
	return 0
}

// step completes element e of a pattern that began at start with the token at i.
func (s *scanner) step(e element, i, start int) {
	if !e.last {
		s.state[e.at] = progress{s.pos, start}
		if s.pos > s.open {
			s.lasts = 0
		}
		s.lasts |= s.prog.lasts[e.at+1]
		s.open = max(s.open, s.pos+4+int(s.prog.gaps[e.at+1]))
		return
	}
	pat := &s.prog.pats[e.pat]
	rule := &s.prog.rules[pat.rule]
	switch rule.Family {
	case discussion:
		s.talk++
		return
	case turnedRot:
		s.turned.rot++
		return
	case turnedBack:
		s.turned.back++
		return
	}
	if rule.Severity == High {
		s.strong |= 1 << pat.rule
	} else {
		s.hints |= 1 << pat.rule
	}
	if rule.Severity != Low && quoted(s.lex.s, start) {
		s.quotes++
	} else if rule.Sure {
		s.sure = true
	}
	x := s.slots[e.pat]
	s.sum += int(s.w[x])
	if s.tap != nil {
		s.tap(x)
	}
	if len(s.hits) < maxSpans {
		s.hits = append(s.hits, match{int(e.pat), start, int(s.buf[i].end)})
	}
}

// lineStart reports whether only blanks and list or quote signs stand between
// i and the line's start.
func lineStart(text string, i int) bool {
	for range 12 {
		i--
		if i < 0 || text[i] == '\n' {
			return true
		}
		switch text[i] {
		case ' ', '\t', '#', '*', '>', '-', '"', '`', '\r', '[', '(', '/':
		default:
			return false
		}
	}
	return false
}

// quoted reports whether a quotation begins a little before i: what is
// mentioned is not said.
func quoted(text string, i int) bool {
	for n := 0; n < 24 && i > 0; n++ {
		i--
		switch c := text[i]; c {
		case '\n':
			return false
		case '"', '\'', '`', 0x9c, 0x98: // the last two end the opening quotes beyond ASCII
			if c >= 0x80 && (i < 2 || text[i-2:i] != "\xe2\x80") {
				continue
			}
			return i == 0 || text[i-1] < 'A' || c == '`' || c >= 0x80
		}
	}
	return false
}
