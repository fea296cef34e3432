//go:build linux && !amd64

package inside

func archCalls(*printer) {}
