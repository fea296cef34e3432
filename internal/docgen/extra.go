package docgen

import (
	"github.com/chitin-sh/chitin/app"
	"github.com/chitin-sh/chitin/external/detect"
	"github.com/chitin-sh/chitin/server/httpapi"
)

// extra lists the documents that rooms and doors render themselves.
var extra = map[string]func() ([]byte, error){
	"docs/content-rules.md": func() ([]byte, error) { return []byte(detect.Reference()), nil },
	"docs/routes.md": func() ([]byte, error) {
		return []byte("# Routes\n\nMade from the route table that the guard reads.\n\n" + httpapi.Markdown(app.ExtraRoutes()...)), nil
	},
}
