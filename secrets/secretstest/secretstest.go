// Package secretstest plants canaries and looks for them: whatever a test
// exercises, none of them may turn up outside the store and the memory of the
// process.
package secretstest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/chitin-sh/chitin/secrets"
)

// Canary is a planted secret.
type Canary struct {
	Name  string
	Value secrets.Value
}

// Canaries makes n secrets that occur nowhere else.
func Canaries(n int) []Canary {
	out := make([]Canary, n)
	for i := range out {
		out[i] = Canary{Name: fmt.Sprintf("canary-%02d", i), Value: secrets.NewValue("cnry-" + rand.Text())}
	}
	return out
}

// Values are the canaries' values, for a redactor.
func Values(cs []Canary) []secrets.Value {
	out := make([]secrets.Value, len(cs))
	for i, c := range cs {
		out[i] = c.Value
	}
	return out
}

// forms are the ways in which a canary could be written.
func forms(s string) [][]byte {
	std := base64.StdEncoding.EncodeToString
	return [][]byte{
		[]byte(s), []byte(url.QueryEscape(s)), []byte(hex.EncodeToString([]byte(s))),
		// A base64 text holds one of three cores, by where in it s begins.
		[]byte(std([]byte(s))[:len(s)/3*4]),
		[]byte(std([]byte("x" + s))[4 : (len(s)+1)/3*4]),
		[]byte(std([]byte("xx" + s))[4 : (len(s)+2)/3*4]),
	}
}

// In names the canaries that b shows in any form.
func In(b []byte, cs []Canary) []string {
	var out []string
	for _, c := range cs {
		for _, f := range forms(c.Value.Reveal()) {
			if bytes.Contains(b, f) {
				out = append(out, c.Name)
				break
			}
		}
	}
	return out
}

const maxFile = 256 << 20

// InTree looks through every file below root and returns "path: canary" for
// each find. allowed files may hold canaries. What vanishes while it looks is
// left out.
func InTree(root string, cs []Canary, allowed func(path string) bool) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || allowed != nil && allowed(path) {
			return nil
		}
		if st, err := d.Info(); err != nil || st.Size() > maxFile {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, name := range In(data, cs) {
			out = append(out, path+": "+name)
		}
		return nil
	})
	return out, err
}

// InProc looks at the command lines and environments of every process that we
// may read, and returns "pid file: canary" for each find.
func InProc(cs []Canary) []string {
	var out []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		for _, file := range []string{"cmdline", "environ"} {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				continue
			}
			for _, name := range In(data, cs) {
				out = append(out, strings.TrimPrefix(dir, "/proc/")+" "+file+": "+name)
			}
		}
	}
	return out
}
