package docgen

import "github.com/chitin-sh/chitin/server/httpapi"

// extra lists the documents that rooms and doors render themselves.
var extra = map[string]func() ([]byte, error){
	"docs/routes.md": func() ([]byte, error) { return []byte(httpapi.Markdown()), nil },
}
