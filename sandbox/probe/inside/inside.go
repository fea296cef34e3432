// Package inside is the half of the probes that runs within a box: it
// collects facts and prints them, one "name value" a line. It judges nothing;
// package probe does, on the host, against the declared spec.
package inside

import (
	"io"
	"os"
)

// Run prints every fact and returns the exit code. args are paths inside
// whose mounts are to be identified.
func Run(w io.Writer, args []string) int {
	p := &printer{w: w}
	identity(p)
	status(p)
	mounts(p, args)
	devices(p)
	calls(p)
	network(p)
	limits(p)
	leaks(p)
	p.fact("end", "1")
	if p.err != nil {
		return 1
	}
	return 0
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) fact(name, value string) {
	if p.err != nil {
		return
	}
	_, p.err = io.WriteString(p.w, name+" "+clean(value)+"\n")
}

// clean keeps one fact on one line and short.
func clean(s string) string {
	if len(s) > 512 {
		s = s[:512]
	}
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '_'
		}
	}
	return string(b)
}

func read(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return ""
	}
	return string(b)
}
