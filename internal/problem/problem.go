// Package problem is how a room says that its part of the configuration is
// wrong: where, what, and what to write instead.
package problem

// Problem is one mistake in a configuration.
type Problem struct {
	Path    string // dotted config path below the room's own key, such as auth.mode
	Message string
	Hint    string // what to write or type instead
	Warning bool   // start anyway, but say so
}
