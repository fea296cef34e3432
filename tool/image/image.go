// Package image is the tool that looks at images of the workspace: it sizes
// them, shows them, and where an image model is connected has it describe
// them.
package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	_ "image/gif"  // decoders by content
	_ "image/jpeg" //
	_ "image/png"  //
	"net/http"
	"strings"

	"github.com/chitin-sh/chitin/tool"
)

const (
	maxImages = 20
	maxBytes  = 10 << 20 // of one image
	maxTotal  = 40 << 20 // of all images of a call
	maxPrompt = 16 << 10
)

// Picture is one image handed to a Viewer.
type Picture struct {
	Path          string
	MimeType      string
	Width, Height int
	Data          []byte
}

// Viewer is an image model.
type Viewer interface {
	// Describe answers the prompt about the pictures; model may be empty.
	Describe(ctx context.Context, prompt, model string, pictures []Picture) (string, error)
}

// Tool is image.
type Tool struct{ viewer Viewer }

var _ tool.Tool = (*Tool)(nil)

// New makes the tool; without a viewer the images themselves are the answer.
func New(v Viewer) *Tool { return &Tool{viewer: v} }

// Spec describes image.
func (*Tool) Spec() tool.Spec {
	return tool.Spec{
		Name:        "image",
		Aliases:     []string{"view_image"},
		Title:       "View images",
		Description: "Look at image files of the workspace: their type and size, the image itself, and a description where an image model is configured.",
		Schema:      json.RawMessage(schema),
		Traits:      tool.Traits{Box: true},
	}
}

const schema = `{"type":"object","properties":{
"image":{"type":"string","description":"Image file, relative to the workspace."},
"images":{"type":"array","maxItems":20,"items":{"type":"string"},"description":"Several image files."},
"prompt":{"type":"string","description":"What to look for."},
"model":{"type":"string","description":"Image model to ask."}}}`

type args struct {
	Image  string   `json:"image"`
	Images []string `json:"images"`
	Prompt string   `json:"prompt"`
	Model  string   `json:"model"`
}

// Details lists the images.
type Details struct {
	Images []Info `json:"images"`
	Model  string `json:"model,omitempty"`
}

// Info is what is known of one image.
type Info struct {
	Path     string `json:"path"`
	MimeType string `json:"mimeType"`
	Width    int    `json:"width"`
	Height   int    `json:"height"`
	Bytes    int    `json:"bytes"`
}

// Run looks at the images.
func (t *Tool) Run(ctx context.Context, c *tool.Call) (tool.Result, error) {
	a, err := tool.Decode[args](c.Args)
	if err != nil {
		return tool.Result{}, err
	}
	paths := a.Images
	if a.Image != "" {
		paths = append([]string{a.Image}, paths...)
	}
	switch {
	case len(paths) == 0:
		return tool.Result{}, tool.Missing("image")
	case len(paths) > maxImages:
		return tool.Result{}, tool.Input(fmt.Sprintf("Too many images: at most %d at once.", maxImages))
	case len(a.Prompt) > maxPrompt:
		return tool.Result{}, tool.Input("The prompt is too long.")
	}
	pictures, err := load(ctx, c, paths)
	if err != nil {
		return tool.Result{}, err
	}
	return t.answer(ctx, a, pictures)
}

func (t *Tool) answer(ctx context.Context, a args, pictures []Picture) (tool.Result, error) {
	d := Details{Images: make([]Info, len(pictures))}
	lines := make([]string, len(pictures))
	for i, p := range pictures {
		d.Images[i] = Info{Path: p.Path, MimeType: p.MimeType, Width: p.Width, Height: p.Height, Bytes: len(p.Data)}
		lines[i] = fmt.Sprintf("%s: %s, %dx%d, %d bytes", p.Path, p.MimeType, p.Width, p.Height, len(p.Data))
	}
	text := strings.Join(lines, "\n")
	if t.viewer != nil {
		seen, err := t.viewer.Describe(ctx, a.Prompt, a.Model, pictures)
		if err != nil {
			return tool.Result{}, tool.Unavailable("The image model did not answer.", err)
		}
		d.Model = a.Model
		return tool.Text(seen, d), nil
	}
	r := tool.Text(text, d)
	for _, p := range pictures {
		r.Content = append(r.Content, tool.Block{Type: "image", Data: p.Data, MimeType: p.MimeType})
	}
	return r, nil
}

func load(ctx context.Context, c *tool.Call, paths []string) ([]Picture, error) {
	box, err := c.Box()
	if err != nil {
		return nil, err
	}
	_, files, err := c.Files()
	if err != nil {
		return nil, err
	}
	total := 0
	pictures := make([]Picture, 0, len(paths))
	for _, path := range paths {
		data, info, err := files.Read(ctx, path, maxBytes+1)
		if err != nil {
			return nil, tool.FileError(box, path, err)
		}
		total += len(data)
		if info.Size > maxBytes || total > maxTotal {
			return nil, tool.Input(fmt.Sprintf("%s is too large: images may have %d MiB each, %d MiB together.", path, maxBytes>>20, maxTotal>>20))
		}
		p, err := inspect(path, data)
		if err != nil {
			return nil, err
		}
		pictures = append(pictures, p)
	}
	return pictures, nil
}

// inspect sizes an image from its header; the pixels are never decoded.
func inspect(path string, data []byte) (Picture, error) {
	p := Picture{Path: path, MimeType: http.DetectContentType(data[:min(len(data), 512)]), Data: data}
	var ok bool
	switch p.MimeType {
	case "image/png", "image/jpeg", "image/gif":
		cfg, _, err := image.DecodeConfig(bytes.NewReader(data))
		p.Width, p.Height, ok = cfg.Width, cfg.Height, err == nil
	case "image/webp":
		p.Width, p.Height, ok = webpSize(data)
	default:
		return p, tool.Input(path + " is not an image that can be viewed (PNG, JPEG, GIF or WebP).")
	}
	if !ok {
		return p, tool.Input(path + " is a damaged image.")
	}
	return p, nil
}

// webpSize reads the size from any of the three WebP headers.
func webpSize(d []byte) (w, h int, ok bool) {
	if len(d) < 30 {
		return 0, 0, false
	}
	le := func(i, n int) int {
		v := 0
		for j := range n {
			v |= int(d[i+j]) << (8 * j)
		}
		return v
	}
	switch string(d[12:16]) {
	case "VP8 ":
		return le(26, 2) & 0x3fff, le(28, 2) & 0x3fff, string(d[23:26]) == "\x9d\x01\x2a"
	case "VP8L":
		bits := le(21, 4)
		return bits&0x3fff + 1, bits>>14&0x3fff + 1, d[20] == 0x2f
	case "VP8X":
		return le(24, 3) + 1, le(27, 3) + 1, true
	}
	return 0, 0, false
}
