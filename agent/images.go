package agent

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/chitin-sh/chitin/tool"
)

// Image is one image of an answer. Its type is one of PNG, JPEG, GIF and WebP.
type Image struct {
	MimeType string
	Data     []byte
}

// Limits of what a model is shown.
const (
	maxImage      = 3_750_000 // bytes of one image: 5 MB as base64
	maxImages     = 20        // of one request
	maxImageBytes = 16 << 20  // of one request
)

var imageTypes = [...]string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// block adds one piece of a result. What an image is its bytes decide, not the
// name that it came with.
func (a *Answer) block(b tool.Block, images bool) {
	if b.Type == "text" {
		a.Text += b.Text
		return
	}
	kind := http.DetectContentType(b.Data)
	switch {
	case b.Type != "image" || !images:
		a.Text += fmt.Sprintf("[%s %s]", b.Type, b.MimeType)
	case !slices.Contains(imageTypes[:], kind):
		a.Text += "[an image of a kind that is not shown]"
	case len(b.Data) > maxImage || len(a.Images) >= maxImages:
		a.Text += fmt.Sprintf("[an image that is too large to show: %d bytes]", len(b.Data))
	default:
		a.Images = append(a.Images, Image{kind, b.Data})
		a.Text += "[" + kind + "]"
	}
}

// trimImages keeps the newest images that fit one request.
func (p *progress) trimImages() {
	var seqs []int64
	for seq := range p.images {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	slices.Reverse(seqs)
	count, size := 0, 0
	for _, seq := range seqs {
		list := p.images[seq]
		for i := len(list) - 1; i >= 0; i-- {
			count, size = count+1, size+len(list[i].Data)
			if count > maxImages || size > maxImageBytes {
				p.images[seq] = list[i+1:]
				break
			}
		}
	}
}
