package livebox

import "io/fs"

// The host's words for what a helper inside reports.
var (
	errNotExist   = fs.ErrNotExist
	errPermission = fs.ErrPermission
	errExist      = fs.ErrExist
)
