package scan_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/chitin-sh/chitin/secrets/scan"
)

// TestInventedProviders measures what matters: how many secrets of providers
// that the scanner has never heard of are found, and how many look-alikes are
// taken for one.
func TestInventedProviders(t *testing.T) {
	e := scan.Default()
	var found, secrets, false1, lookalikes int
	for seed := range uint64(1500) {
		m := maker{rand.New(rand.NewPCG(seed, 7))}
		format, text, places := m.document()
		findings := e.Bytes([]byte(text))
		for _, p := range places {
			hit := ""
			for _, f := range findings {
				if f.Start < p.end && f.End > p.start {
					hit = f.Rule
				}
			}
			switch {
			case p.secret:
				secrets++
				if hit != "" {
					found++
				} else if secrets-found < 20 {
					t.Logf("missed in %s: %s = %.60s", format, p.key, p.value)
				}
			default:
				lookalikes++
				if hit != "" {
					false1++
					t.Logf("false in %s: %s = %.60s (%s)", format, p.key, p.value, hit)
				}
			}
		}
	}
	recall, wrong := float64(found)/float64(secrets), float64(false1)/float64(lookalikes)
	t.Logf("recall %.4f of %d, false positives %.4f of %d", recall, secrets, wrong, lookalikes)
	if recall < 0.97 || wrong > 0.01 {
		t.Errorf("recall %.4f (want 0.97), false positives %.4f (want 0.01)", recall, wrong)
	}
}

func TestContexts(t *testing.T) {
	const v = "q8Zr2mVx7Lp4Wn9Tk3Bd6Hs1"
	for _, text := range []string{
		`curl -H "Authorization: Bearer ` + v + `" https://x.example`,
		`os.Setenv("x", "1"); password = "` + v + `"`,
		`<password>` + v + `</password>`,
		`<add key="x"/><apiToken>` + v + `</apiToken>`,
		`https://api.example/v1?api_key=` + v + `&x=1`,
		`tool --password=` + v + ` run`,
		`{"config":"{\"password\":\"` + v + `\"}"}`,
		`var apiKey string = "` + v + `"`,
		`const token: string = '` + v + `';`,
		`:token => "` + v + `",`,
		`env["API_TOKEN"] = "` + v + `"`,
		`//registry.example/:_authToken=` + v,
		"secret: |\n  " + v + "\n",
		"# old db_password: " + v,
		`password:"` + v + `"`,
		`"auth": "` + "dXNlcjpxOFpyMm1WeDdMcDRXbjlUazNCZDZIczE=" + `"`,
		`mnemonic: "` + strings.Repeat("abandon ability ", 6) + `"`,
	} {
		if len(scan.Default().Bytes([]byte(text))) != 1 {
			t.Errorf("%d findings in %s", len(scan.Default().Bytes([]byte(text))), text)
		}
	}
}

func TestQuiet(t *testing.T) {
	for _, text := range []string{
		`token := getToken(ctx, "name")`,
		`apiKey: config.providers.acme.apiKey,`,
		`password = os.environ["DB_PASSWORD"]`,
		`if token == "" { return errMissingToken }`,
		`password: string`,
		`SPDX-License-Identifier: BSD-2-Clause-FreeBSD`,
		`github.com/x/y v1.2.3 h1:Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE=`,
		`func (s *Store) secretKeyRef(token tokenType) passwordPolicy {`,
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
		"-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
		`2026-11-22T15:04:05Z INFO key=value path=/var/lib/app`,
		`password: "correct"`,
	} {
		if got := scan.Default().Bytes([]byte(text)); len(got) != 0 {
			t.Errorf("%s in %s", got[0].Rule, text)
		}
	}
}

func TestPositions(t *testing.T) {
	text := "a: 1\nb:\n  password: \"q8Zr2mVx7Lp4Wn9Tk3\"\n"
	got := scan.Default().Bytes([]byte(text))
	if len(got) != 1 || got[0].Line != 3 || got[0].Column != 14 || text[got[0].Start:got[0].End] != "q8Zr2mVx7Lp4Wn9Tk3" || got[0].Key != "password" {
		t.Errorf("%+v", got)
	}
}

func TestKubernetesSecret(t *testing.T) {
	doc := "apiVersion: v1\ndata:\n  pw: cThacjJtVng3THA0V245VGszQmQ2SHMx\n  password: cThacjJtVng3THA0V245VGszQmQ2SHMx\nkind: Secret\n---\nkind: ConfigMap\ndata:\n  note: cThacjJtVng3THA0V245VGszQmQ2SHMx\n"
	got := scan.Default().Bytes([]byte(doc))
	if len(got) != 2 || got[0].Line != 3 || got[1].Line != 4 {
		t.Errorf("%+v", got)
	}
}

func TestEveryRuleCompiles(t *testing.T) {
	if bad := scan.RulesForTest(); len(bad) > 0 {
		t.Errorf("rules that do not compile or have no anchor: %v", bad)
	}
}

func TestTree(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.env": "PASSWORD=q8Zr2mVx7Lp4Wn9Tk3\n", "sub/b.txt": "nothing\n", "bin": "PASSWORD=q8Zr2mVx7Lp4Wn9Tk3\x00", ".git/config": "password = q8Zr2mVx7Lp4Wn9Tk3\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/", filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	var hits []string
	files, err := scan.Default().Tree(t.Context(), []string{dir}, nil, func(f scan.File) { hits = append(hits, filepath.Base(f.Path)) })
	if err != nil || files != 2 || len(hits) != 1 || hits[0] != "a.env" {
		t.Errorf("%d files, %v, %v", files, hits, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scan.Default().Tree(ctx, []string{dir}, nil, func(scan.File) {}); err == nil {
		t.Error("a cancelled scan goes on")
	}
}

func FuzzFind(f *testing.F) {
	for seed := range uint64(20) {
		_, text, _ := maker{rand.New(rand.NewPCG(seed, 1))}.document()
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		last := 0
		for _, s := range scan.Default().Find(b, nil) {
			if s.Start < last || s.End <= s.Start || s.End > len(b) {
				t.Fatalf("span %+v of %d bytes after %d", s, len(b), last)
			}
			last = s.End
		}
	})
}

// source is text without secrets, as in a tree of code and prose.
func source() []byte {
	lines := []string{
		"func (s *Server) handle(w http.ResponseWriter, r *http.Request) error {\n", "\tif err := s.check(r.Context(), token); err != nil {\n", "\t\treturn fmt.Errorf(\"check: %w\", err)\n\t}\n",
		"// The quick brown fox jumps over the lazy dog, and then it rests for a while.\n", "  timeout: 30s\n  retries: 5\n  name: main\n", "\tpassword := r.FormValue(\"password\")\n", "\n",
		"import { useState } from 'react';\n", "| column | another column | a third one |\n", "https://docs.example/reference/configuration#section\n",
	}
	var b bytes.Buffer
	for i := 0; b.Len() < 4<<20; i++ {
		b.WriteString(lines[(i*7+i/5)%len(lines)])
	}
	return b.Bytes()
}

func BenchmarkSource(b *testing.B) {
	text, e := source(), scan.Default()
	perCPU(b, len(text), func() {
		if len(e.Find(text, nil)) != 0 {
			b.Fatal("found something")
		}
	})
}

func BenchmarkDense(b *testing.B) {
	var text []byte
	for seed := range uint64(500) {
		_, doc, _ := maker{rand.New(rand.NewPCG(seed, 7))}.document()
		text = append(text, doc...)
	}
	e := scan.Default()
	perCPU(b, len(text), func() { e.Find(text, nil) })
}

// perCPU reports the rate by processor time, which other work on the machine
// does not change.
func perCPU(b *testing.B, bytes int, run func()) {
	cpu := func() float64 {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
	}
	b.SetBytes(int64(bytes))
	start := cpu()
	n := 0
	for b.Loop() {
		run()
		n++
	}
	b.ReportMetric(float64(n)*float64(bytes)/1e6/(cpu()-start), "MB/cpu-s")
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		scan.New(nil)
	}
}
