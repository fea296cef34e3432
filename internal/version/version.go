// Package version names the build.
package version

// version is set by the linker.
var version = "dev"

// String is the version of this build.
func String() string { return version }
