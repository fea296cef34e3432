package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

func pictures(t *testing.T, w *tooltest.World) {
	t.Helper()
	img := image.NewPaletted(image.Rect(0, 0, 7, 5), color.Palette{color.Black, color.White})
	var p, j, g bytes.Buffer
	if err := errors.Join(png.Encode(&p, img), jpeg.Encode(&j, img, nil), gif.Encode(&g, img, nil)); err != nil {
		t.Fatal(err)
	}
	w.Put(t, "a.png", p.String())
	w.Put(t, "b.jpg", j.String())
	w.Put(t, "c.gif", g.String())
	w.Put(t, "d.webp", "RIFF\x1a\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x04\x00\x00")
	w.Put(t, "text", "hello")
	w.Put(t, "cut.png", p.String()[:20])
	w.Put(t, "huge.png", p.String()+strings.Repeat("x", maxBytes))
}

func TestImagesAreSizedAndShown(t *testing.T) {
	w := tooltest.New(t, New(nil))
	pictures(t, w)
	res, err := w.Call(context.Background(), "image", `{"image":"a.png","images":["b.jpg","c.gif","d.webp"]}`)
	if err != nil {
		t.Fatal(err)
	}
	d := res.Details.(Details)
	for i, kind := range []string{"png", "jpeg", "gif", "webp"} {
		if got := d.Images[i]; got.Width != 7 || got.Height != 5 || got.MimeType != "image/"+kind {
			t.Errorf("%+v", got)
		}
		if res.Content[i+1].Type != "image" || len(res.Content[i+1].Data) != d.Images[i].Bytes {
			t.Errorf("block %d: %s", i+1, res.Content[i+1].Type)
		}
	}
	for args, want := range map[string]string{
		`{"image":"text"}`:       "text is not an image that can be viewed (PNG, JPEG, GIF or WebP).",
		`{"image":"cut.png"}`:    "cut.png is a damaged image.",
		`{"image":"huge.png"}`:   "huge.png is too large: images may have 10 MiB each, 40 MiB together.",
		`{"image":"../out.png"}`: "Path escapes sandbox root (/workspace): ../out.png",
		`{"image":"/etc/x.png"}`: "Path escapes sandbox root (/workspace): /etc/x.png",
		`{"image":"http://x/y"}`: "ENOENT: no such file or directory, 'http://x/y'",
		`{"prompt":"no image"}`:  "Missing required parameter: image. Supply correct parameters before retrying.",
	} {
		if _, err := w.Call(context.Background(), "image", args); err == nil || err.Error() != want {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// viewer is an image model that says what it was shown.
type viewer struct{ fail error }

func (v viewer) Describe(_ context.Context, prompt, model string, p []Picture) (string, error) {
	return fmt.Sprintf("%s %s %d %dx%d", prompt, model, len(p), p[0].Width, p[0].Height), v.fail
}

func TestAModelDescribesTheImages(t *testing.T) {
	w := tooltest.New(t, New(viewer{}))
	pictures(t, w)
	res, err := w.Call(context.Background(), "image", `{"image":"a.png","prompt":"what?","model":"m"}`)
	if err != nil || len(res.Content) != 1 || res.Content[0].Text != "what? m 1 7x5" {
		t.Errorf("%+v %v", res, err)
	}
	w = tooltest.New(t, New(viewer{fail: errors.New("key sk-123 refused")}))
	pictures(t, w)
	_, err = w.Call(context.Background(), "image", `{"image":"a.png"}`)
	if e := tool.AsError(err); e.Kind != tool.KindUnavail || strings.Contains(e.Public, "sk-") {
		t.Errorf("%v", err)
	}
}
