package mailtext

import (
	"strings"

	"golang.org/x/net/html"
)

// HTML is the text of a page: scripts and styles are dropped, blocks become
// lines, links keep their address. What a reader would not see (comments,
// hidden elements, alt texts) is kept and named, since a model may see it.
func HTML(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(1 << 20)
	skip := ""
	for b.Len() < maxText {
		switch z.Next() {
		case html.ErrorToken:
			return tidy(b.String())
		case html.TextToken:
			if skip == "" {
				b.WriteString(html.UnescapeString(string(z.Raw())))
			}
		case html.CommentToken:
			if c := strings.TrimSpace(string(z.Text())); c != "" && skip == "" && !strings.HasPrefix(c, "[if") {
				b.WriteString("\n[comment: " + c + "]\n")
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, attrs := z.TagName()
			tag := string(name)
			if tag == "script" || tag == "style" {
				skip = tag
			}
			if block[tag] {
				b.WriteByte('\n')
			}
			if attrs {
				attributes(&b, z, tag)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if string(name) == skip {
				skip = ""
			}
			if block[string(name)] {
				b.WriteByte('\n')
			}
		}
	}
	return tidy(b.String())
}

var block = map[string]bool{
	"p": true, "br": true, "div": true, "tr": true, "li": true, "h1": true, "h2": true, "h3": true, "h4": true,
	"table": true, "ul": true, "ol": true, "blockquote": true, "pre": true, "hr": true, "title": true, "section": true,
}

// attributes writes those attributes that carry text or an address.
func attributes(b *strings.Builder, z *html.Tokenizer, tag string) {
	for range 64 {
		key, val, more := z.TagAttr()
		switch k := string(key); {
		case k == "href" && tag == "a":
			b.WriteString("<" + clip(val) + "> ")
		case k == "alt" && len(val) > 0:
			b.WriteString("[image: " + clip(val) + "]")
		case k == "hidden":
			b.WriteString("[hidden] ")
		case k == "style" && hiding(string(val)):
			b.WriteString("[hidden] ")
		}
		if !more {
			return
		}
	}
}

func clip(b []byte) string { return strings.ToValidUTF8(string(b[:min(len(b), 500)]), "") }

// hiding reports whether a style keeps an element from being seen.
func hiding(style string) bool {
	s := strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(style), " ", ""), "background-color", "")
	for _, h := range []string{"display:none", "visibility:hidden", "font-size:0", "opacity:0", "color:white", "color:#fff", "left:-9"} {
		if strings.Contains(s, h) {
			return true
		}
	}
	return false
}

// tidy joins blanks and drops empty lines.
func tidy(s string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	return strings.TrimSpace(b.String())
}
