// Package embedded attacks the sandbox backends that need no daemon, by the
// advisories whose mistakes they could repeat.
package embedded
