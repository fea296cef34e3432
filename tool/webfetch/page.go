package webfetch

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/html/charset"

	"github.com/chitin-sh/chitin/tool"
)

// readPage reads a bounded body and makes it UTF-8.
func (t *Tool) readPage(resp *http.Response) (page, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, t.opts.MaxBody+1))
	if err != nil {
		return page{}, fetchError(err)
	}
	p := page{mediaType: mediaTypeOf(resp.Header.Get("Content-Type"))}
	if int64(len(body)) > t.opts.MaxBody {
		body, p.truncated = body[:t.opts.MaxBody], true
	}
	if p.mediaType == "" || p.mediaType == "application/octet-stream" {
		p.mediaType = mediaTypeOf(http.DetectContentType(body[:min(len(body), 512)]))
	}
	if !isText(p.mediaType) {
		return page{}, tool.Input("Web fetch failed: the page is not text.")
	}
	p.html = p.mediaType == "text/html" || p.mediaType == "application/xhtml+xml"
	r, err := charset.NewReader(bytes.NewReader(body), resp.Header.Get("Content-Type"))
	if err == nil {
		if decoded, err := io.ReadAll(io.LimitReader(r, 4*t.opts.MaxBody)); err == nil {
			body = decoded
		}
	}
	p.text = strings.ToValidUTF8(string(body), "\uFFFD")
	return p, nil
}
