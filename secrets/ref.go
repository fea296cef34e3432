package secrets

// Ref points at a secret: {source, provider, id}, or the ${VAR} shorthand.
type Ref struct {
	Source   string `yaml:"source" json:"source"`
	Provider string `yaml:"provider,omitempty" json:"provider,omitempty"`
	ID       string `yaml:"id" json:"id"`
}

// Field is a secret-bearing configuration field: a reference, or (accepted,
// and reported by the audits) a literal value. It unmarshals from a string,
// a "${VAR}" string or a {source, provider, id} mapping and always marshals
// without its literal.
type Field struct {
	Ref     *Ref
	Literal Value
}
