package webfetch

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// writer turns elements into text or markdown.
type writer struct {
	b        strings.Builder
	base     *url.URL
	markdown bool
	gap      int  // line ends owed before the next text
	space    bool // a space is owed
	pre      int
	lists    []int // per open list: the next number, -1 for bullets
}

func (w *writer) done() string { return strings.TrimSpace(w.b.String()) + "\n" }

// raw writes s as it is, after what is owed.
func (w *writer) raw(s string) {
	if s == "" {
		return
	}
	if w.b.Len() > 0 {
		switch {
		case w.gap > 0:
			w.b.WriteString(strings.Repeat("\n", w.gap))
		case w.space:
			w.b.WriteByte(' ')
		}
	}
	w.gap, w.space = 0, false
	w.b.WriteString(s)
}

// block makes the next text begin after an empty line.
func (w *writer) block() { w.gap = 2 }

func (w *writer) line() { w.gap = max(w.gap, 1) }

func (w *writer) mark(s string) {
	if w.markdown {
		w.raw(s)
	}
}

func (w *writer) text(s string) {
	if w.pre > 0 {
		w.raw(s)
		return
	}
	words := squeeze(s)
	if words == "" {
		w.space = w.space || s != ""
		return
	}
	if unicode.IsSpace(rune(s[0])) {
		w.space = true
	}
	w.raw(words)
	w.space = unicode.IsSpace(rune(s[len(s)-1]))
}

func (w *writer) children(n *html.Node, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.walk(c, depth+1)
	}
}

func (w *writer) walk(n *html.Node, depth int) {
	switch {
	case depth > maxDepth || hidden(n):
		return
	case n.Type == html.TextNode:
		w.text(n.Data)
		return
	case n.Type != html.ElementNode:
		w.children(n, depth)
		return
	}
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.block()
		w.mark(strings.Repeat("#", int(n.Data[1]-'0')) + " ")
		w.children(n, depth)
		w.block()
	case atom.Br:
		w.line()
	case atom.Hr:
		w.block()
		w.mark("---")
		w.block()
	case atom.Pre:
		w.preformatted(n, depth)
	case atom.Code:
		w.around(n, depth, "`")
	case atom.Strong, atom.B:
		w.around(n, depth, "**")
	case atom.Em, atom.I:
		w.around(n, depth, "*")
	case atom.A:
		w.link(n, depth)
	case atom.Img:
		w.image(n)
	case atom.Ul, atom.Ol:
		w.list(n, depth)
	case atom.Li:
		w.item(n, depth)
	case atom.Blockquote:
		w.block()
		w.mark("> ")
		w.children(n, depth)
		w.block()
	case atom.Tr:
		w.line()
		w.children(n, depth)
		w.line()
	case atom.Td, atom.Th:
		w.mark("| ")
		w.children(n, depth)
		w.space = true
	case atom.P, atom.Div, atom.Section, atom.Article, atom.Main, atom.Table, atom.Header, atom.Figure, atom.Dl, atom.Dt, atom.Dd, atom.Details, atom.Summary:
		w.block()
		w.children(n, depth)
		w.block()
	default:
		w.children(n, depth)
	}
}

func (w *writer) preformatted(n *html.Node, depth int) {
	w.block()
	w.mark("```\n")
	w.pre++
	w.children(n, depth)
	w.pre--
	w.mark("\n```")
	w.block()
}

// around writes the element between two marks, which must touch its text.
func (w *writer) around(n *html.Node, depth int, mark string) {
	text := squeeze(textOf(n, depth))
	if text == "" || !w.markdown || w.pre > 0 {
		w.children(n, depth)
		return
	}
	w.raw(mark + text + mark)
}

func (w *writer) link(n *html.Node, depth int) {
	text := squeeze(textOf(n, depth))
	target := w.resolve(attr(n, "href"))
	if text == "" || target == "" || !w.markdown || w.pre > 0 {
		w.children(n, depth)
		return
	}
	w.raw("[" + strings.NewReplacer("[", "(", "]", ")").Replace(text) + "](" + target + ")")
}

func (w *writer) image(n *html.Node) {
	if alt := squeeze(attr(n, "alt")); alt != "" {
		w.raw("[image: " + alt + "]")
	}
}

// resolve is an absolute http or https target, or "".
func (w *writer) resolve(ref string) string {
	u, err := url.Parse(strings.TrimSpace(ref))
	if err != nil || ref == "" || strings.HasPrefix(ref, "#") {
		return ""
	}
	if w.base != nil {
		u = w.base.ResolveReference(u)
	}
	if checkURL(u) != nil {
		return ""
	}
	return strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(u.String())
}

func (w *writer) list(n *html.Node, depth int) {
	if len(w.lists) == 0 {
		w.block()
	}
	first := -1
	if n.DataAtom == atom.Ol {
		first = 1
	}
	w.lists = append(w.lists, first)
	w.children(n, depth)
	w.lists = w.lists[:len(w.lists)-1]
	w.line()
	if len(w.lists) == 0 {
		w.block()
	}
}

func (w *writer) item(n *html.Node, depth int) {
	w.line()
	bullet := "- "
	if k := len(w.lists) - 1; k >= 0 {
		if w.lists[k] > 0 {
			bullet = strconv.Itoa(w.lists[k]) + ". "
			w.lists[k]++
		}
		bullet = strings.Repeat("  ", k) + bullet
	}
	w.raw(bullet)
	w.children(n, depth)
	w.line()
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
