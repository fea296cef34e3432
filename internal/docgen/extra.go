package docgen

// extra lists the documents that rooms and doors render themselves.
var extra = map[string]func() ([]byte, error){}
