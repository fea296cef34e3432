package main

import (
	"embed"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// ownTexts are templates of our own making: attacks, texts that look like
// attacks and are none, and ordinary ones, in many languages.
//
//go:embed own/*.txt
var ownTexts embed.FS

// grammar expands templates.
type grammar struct {
	lists map[string]string
	sets  []set
	rnd   *rand.Rand
}

// set is a number of texts to be made from one template.
type set struct {
	name, tier string // tier "-" is harmless
	count      int
	template   string
}

// parse reads a file of templates.
func (g *grammar) parse(text string) error {
	var list string
	inSet := false
	for n, line := range strings.Split(text, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "# ") && list == "" && !inSet:
		case strings.HasPrefix(line, "= "):
			list, inSet = line[2:], false
		case strings.HasPrefix(line, "@ "):
			f := strings.Fields(line[2:])
			if len(f) == 2 {
				f = []string{f[0], "-", f[1]}
			}
			count, err := strconv.Atoi(f[len(f)-1])
			if err != nil || len(f) != 3 {
				return fmt.Errorf("line %d: %q", n+1, line)
			}
			g.sets, inSet, list = append(g.sets, set{f[0], f[1], count, ""}), true, ""
		case inSet:
			g.sets[len(g.sets)-1].template = line
		default:
			g.lists[list] = line
		}
	}
	return nil
}

// expand makes one text from a template.
func (g *grammar) expand(t string, depth int) string {
	if depth > 40 {
		return ""
	}
	options := split(t)
	t = options[g.rnd.IntN(len(options))]
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == '\\' && i+1 < len(t):
			i++
			if t[i] == 'n' {
				b.WriteByte('\n')
			} else if t[i] == 't' {
				b.WriteByte('\t')
			} else {
				b.WriteByte(t[i])
			}
		case c == '{':
			end := closing(t, i)
			b.WriteString(g.expand(t[i+1:end], depth+1))
			i = end
		case c == '$':
			j := i + 1
			for j < len(t) && t[j] >= 'a' && t[j] <= 'z' {
				j++
			}
			list, ok := g.lists[t[i+1:j]]
			if !ok {
				b.WriteByte(c)
				continue
			}
			b.WriteString(g.expand(list, depth+1))
			i = j - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// split cuts a template at the bars that stand in no braces.
func split(t string) (out []string) {
	level, from := 0, 0
	for i := 0; i < len(t); i++ {
		switch t[i] {
		case '\\':
			i++
		case '{':
			level++
		case '}':
			level--
		case '|':
			if level == 0 {
				out = append(out, t[from:i])
				from = i + 1
			}
		}
	}
	return append(out, t[from:])
}

// closing is the brace that closes the one at i; the end if none does.
func closing(t string, i int) int {
	level := 0
	for ; i < len(t); i++ {
		switch t[i] {
		case '\\':
			i++
		case '{':
			level++
		case '}':
			if level--; level == 0 {
				return i
			}
		}
	}
	return len(t) - 1
}

// parseOwn reads all files of templates, by name.
func (g *grammar) parseOwn() error {
	files, err := ownTexts.ReadDir("own")
	if err != nil {
		return err
	}
	for _, f := range files {
		b, err := ownTexts.ReadFile("own/" + f.Name())
		if err == nil {
			err = g.parse(string(b))
		}
		if err != nil {
			return fmt.Errorf("own/%s: %w", f.Name(), err)
		}
	}
	return nil
}

// ownDocs are all own texts: those of the templates, and attacks set into
// harmless ones.
func ownDocs(p params) []doc {
	g := grammar{lists: map[string]string{}}
	if err := g.parseOwn(); err != nil {
		log.Fatal(err)
	}
	var docs []doc
	var harmless, attacks, tasks, pages []string
	seen := map[string]bool{}
	add := func(s set, text string) {
		text = strings.TrimSpace(text)
		if seen[text] || text == "" {
			return
		}
		seen[text] = true
		d := doc{ID: fmt.Sprintf("own-%d", len(docs)), Source: "own-" + s.name, Tier: s.tier, Injection: s.tier != "-", own: true, weight: p.own, text: text}
		if s.tier == "contextual" {
			d.weight = p.context
		}
		d.read()
		docs = append(docs, d)
		switch s.tier {
		case "-":
			if strings.HasSuffix(s.name, "-page") {
				pages = append(pages, text)
			}
			harmless = append(harmless, text)
		case "contextual":
			tasks = append(tasks, text)
		default:
			attacks = append(attacks, text)
		}
	}
	for _, s := range g.sets {
		g.rnd = rand.New(rand.NewPCG(uint64(hash(s.name)), uint64(hash(s.template)))) // texts of one set do not change with another
		for range s.count {
			add(s, g.expand(s.template, 0))
		}
	}
	g.rnd = rand.New(rand.NewPCG(3, 5))
	carriers(g.rnd, p, harmless, attacks, tasks, add)
	plant(g.rnd, p, pages, harmless, attacks, tasks, add)
	return docs
}

// carriers are pages of harmless texts, half of them with an attack inside.
func carriers(rnd *rand.Rand, p params, harmless, attacks, tasks []string, add func(set, string)) {
	pick := func(from []string) string { return from[rnd.IntN(len(from))] }
	joints := []string{"\n\n", "\n", " ", "\n---\n", "\n\n* ", ". "}
	for i := range p.carriers {
		n := 2 + rnd.IntN(14)
		parts := make([]string, n)
		for j := range parts {
			parts[j] = pick(harmless)
		}
		s := set{name: "carrier", tier: "-"}
		switch i % 5 {
		case 0, 1:
			s = set{name: "carrier-attack", tier: "explicit"}
			parts[rnd.IntN(n)] = pick(attacks)
		case 2:
			if rnd.IntN(2) == 0 {
				s = set{name: "carrier-task", tier: "contextual"}
				parts[[]int{0, n - 1}[rnd.IntN(2)]] = pick(tasks)
			}
		}
		add(s, strings.Join(parts, joints[rnd.IntN(len(joints))]))
	}
}

// plant puts an attack, a task or a harmless line between the lines of pages.
func plant(rnd *rand.Rand, p params, pages, harmless, attacks, tasks []string, add func(set, string)) {
	pick := func(from []string) string { return from[rnd.IntN(len(from))] }
	for i := range p.plants {
		page := pick(pages)
		for range rnd.IntN(4) {
			page += "\n\n" + pick(pages)
		}
		joint := "\n"
		if strings.Count(page, "\n") < 2 {
			joint = ". "
		}
		lines := strings.Split(page, joint)
		at := []int{0, len(lines), rnd.IntN(len(lines) + 1)}[rnd.IntN(3)]
		s, line := set{name: "plant-none", tier: "-"}, ""
		switch i % 8 {
		case 0, 1, 2:
			s, line = set{name: "plant-attack", tier: "explicit"}, pick(attacks)
		case 3, 4, 5:
			s, line = set{name: "plant-task", tier: "contextual"}, pick(tasks)
		case 6:
			line = pick(harmless)
		}
		add(s, strings.Join(slices.Insert(lines, at, line), joint))
	}
}
