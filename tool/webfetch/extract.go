package webfetch

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxDepth bounds the walk through a page's elements.
const maxDepth = 400

// Extract is the readable content of an HTML page: its title, then its main
// part without scripts, menus and whatever a reader would not see. Links are
// resolved against base. A page that cannot be parsed is empty.
func Extract(page string, base *url.URL, markdown bool) string {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return ""
	}
	w := &writer{base: base, markdown: markdown}
	if title := find(doc, atom.Title, 0); title != nil {
		if text := squeeze(textOf(title, 0)); text != "" {
			if markdown {
				w.raw("# ")
			}
			w.raw(text)
			w.block()
		}
	}
	w.walk(mainPart(doc), 0)
	return w.done()
}

// mainPart is the one article or main element, else the body.
func mainPart(doc *html.Node) *html.Node {
	for _, a := range []atom.Atom{atom.Main, atom.Article, atom.Body} {
		if n := find(doc, a, 0); n != nil && (a == atom.Body || len(squeeze(textOf(n, 0))) > 200) {
			return n
		}
	}
	return doc
}

func find(n *html.Node, a atom.Atom, depth int) *html.Node {
	if n.Type == html.ElementNode && n.DataAtom == a {
		return n
	}
	if depth > maxDepth {
		return nil
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if f := find(c, a, depth+1); f != nil {
			return f
		}
	}
	return nil
}

func textOf(n *html.Node, depth int) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	if depth > maxDepth || hidden(n) {
		return ""
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(textOf(c, depth+1))
	}
	return b.String()
}

// squeeze makes every run of white space one space.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// hidden reports whether a reader would not see the element. Text that only a
// machine sees is a favourite place for injected instructions.
func hidden(n *html.Node) bool {
	if n.Type == html.CommentNode {
		return true
	}
	if n.Type != html.ElementNode {
		return false
	}
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Svg, atom.Iframe, atom.Object,
		atom.Nav, atom.Footer, atom.Aside, atom.Form, atom.Button, atom.Select, atom.Head, atom.Canvas, atom.Dialog:
		return true
	}
	for _, a := range n.Attr {
		switch strings.ToLower(a.Key) {
		case "hidden":
			return true
		case "aria-hidden":
			return strings.EqualFold(strings.TrimSpace(a.Val), "true")
		case "style":
			if hidingStyle(a.Val) {
				return true
			}
		}
	}
	return false
}

func hidingStyle(style string) bool {
	s := strings.ToLower(strings.Join(strings.Fields(style), ""))
	for _, h := range []string{"display:none", "visibility:hidden", "opacity:0;", "font-size:0"} {
		if strings.Contains(s+";", h) {
			return true
		}
	}
	return false
}
