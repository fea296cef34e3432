package audit_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/audit"
)

const token = "q8Zr2mVx7Lp4Wn9Tk3Bd6Hs1"

// world is a directory of files and an environment.
type world struct {
	files map[string]string
	modes map[string]os.FileMode
	env   map[string]string
	links map[string]string
}

func (w world) make(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range w.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "@", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		if m, ok := w.modes[name]; ok {
			if err := os.Chmod(path, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, to := range w.links {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (w world) audit(t *testing.T, dir string, allowExec bool, stored ...string) *audit.Report {
	t.Helper()
	o := audit.Options{Paths: []string{dir}, Config: filepath.Join(dir, "chitin.yml"), StateDir: dir, AllowExec: allowExec, LookupEnv: func(k string) (string, bool) { v, ok := w.env[k]; return v, ok }}
	for _, s := range stored {
		o.Stored = append(o.Stored, secrets.NewValue(s))
	}
	rep, err := audit.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// brief is what a test compares: code and path of each finding.
func brief(rep *audit.Report) string {
	var out []string
	for _, f := range rep.Findings {
		out = append(out, f.Code+" "+f.JSONPath)
	}
	return strings.Join(out, "; ")
}

const program = "#!/bin/sh\ncat >/dev/null\necho '{\"protocolVersion\":1,\"values\":{\"k\":\"v1v1v1v1\"}}'\n"

func TestFindings(t *testing.T) {
	own := func(text string) map[string]string { return map[string]string{"chitin.yml": text} }
	claw := func(text string) map[string]string { return map[string]string{"openclaw.json": text} }
	refTo := func(ref, providers string) map[string]string {
		return claw(`{gateway:{auth:{token:` + ref + `}},secrets:{providers:{` + providers + `}}}`)
	}
	for _, tc := range []struct {
		name   string
		w      world
		exec   bool
		want   string
		status string
	}{
		{"clean reference", world{files: own("gateway: {auth: {token: \"${T}\"}}"), env: map[string]string{"T": "x1x1x1x1"}}, false, "", "clean"},
		{"plain token", world{files: own("gateway:\n  auth:\n    token: abc\n")}, false, "PLAINTEXT_FOUND gateway.auth.token", "findings"},
		{"variable missing", world{files: own("gateway: {auth: {token: \"${T}\"}}")}, false, "REF_UNRESOLVED gateway.auth.token", "unresolved"},
		{"redaction mark in the variable", world{files: own("gateway: {auth: {token: \"${T}\"}}"), env: map[string]string{"T": "**redacted**"}}, false, "PLACEHOLDER_VALUE gateway.auth.token", "unresolved"},
		{"redaction mark in the file", world{files: own("gateway: {auth: {token: \"__OPENCLAW_REDACTED__\"}}")}, false, "PLACEHOLDER_VALUE gateway.auth.token", "unresolved"},
		{"overridden", world{files: own("gateway: {auth: {token: \"${T}\"}}"), env: map[string]string{"T": "x1x1x1x1", "CHITIN_GATEWAY_TOKEN": "other"}}, false, "REF_SHADOWED gateway.auth.token", "findings"},
		{"not valid", world{files: own("gateway: [")}, false, "REF_UNRESOLVED <root>", "unresolved"},
		{"unknown provider", world{files: refTo("{source:'file',provider:'ghost',id:'/a'}", "")}, false, "REF_UNRESOLVED gateway.auth.token", "unresolved"},
		{"provider of another source", world{files: refTo("{source:'file',provider:'e',id:'/a'}", "e:{source:'env'}")}, false, "REF_UNRESOLVED gateway.auth.token", "unresolved"},
		{"program not run", world{files: withProgram(refTo("{source:'exec',provider:'x',id:'k'}", "x:{source:'exec',command:'@/ask'}")), modes: map[string]os.FileMode{"ask": 0o700}}, false, "", "clean"},
		{"program run", world{files: withProgram(refTo("{source:'exec',provider:'x',id:'k'}", "x:{source:'exec',command:'@/ask',passEnv:['PATH']}")), modes: map[string]os.FileMode{"ask": 0o700}, env: map[string]string{"PATH": "/usr/bin:/bin"}}, true, "", "clean"},
		{"program that others can write", world{files: withProgram(refTo("{source:'exec',provider:'x',id:'k'}", "x:{source:'exec',command:'@/ask'}")), modes: map[string]os.FileMode{"ask": 0o777}}, false, "REF_UNRESOLVED gateway.auth.token", "unresolved"},
		{"header", world{files: claw(`{models:{providers:{p:{headers:{"X-Api-Key":"abc","X-Team":"red"}}}}}`)}, false, "PLAINTEXT_FOUND models.providers.p.headers.X-Api-Key", "findings"},
		{"unknown root key", world{files: claw(`{nope:1}`)}, false, "REF_UNRESOLVED <root>", "unresolved"},
		{"retired profiles beat a reference", world{files: map[string]string{"openclaw.json": `{models:{providers:{acme:{apiKey:"${T}"}}}}`, "agents/main/agent/auth-profiles.json": `{"profiles":{"acme:default":{"provider":"acme","key":"x"}}}`}, env: map[string]string{"T": "x1x1x1x1"}}, false, "LEGACY_RESIDUE <root>; REF_SHADOWED models.providers.acme.apiKey", "findings"},
		{"models file", world{files: map[string]string{"agents/main/agent/models.json": `{"providers":{"p":{"apiKey":"plain"}}}`}}, false, "PLAINTEXT_FOUND providers.p.apiKey", "findings"},
		{"env file beside it", world{files: map[string]string{"openclaw.json": "{}", ".env": "OPENAI_API_KEY=plain\nPORT=1\n"}}, false, "PLAINTEXT_FOUND OPENAI_API_KEY", "findings"},
		{"OAuth", world{files: map[string]string{"credentials/oauth.json": "{}"}}, false, "LEGACY_RESIDUE <root>", "findings"},
		{"our own secret files", world{files: map[string]string{"gateway.token": token, "secrets.key": "password=" + token}}, false, "", "clean"},
		{"source code", world{files: map[string]string{"a/b.go": "package b\n\nconst apiKey = \"" + token + "\"\n"}}, false, "PLAINTEXT_FOUND ", "findings"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rep := tc.w.audit(t, tc.w.make(t), tc.exec)
			if brief(rep) != tc.want || rep.Status != tc.status {
				t.Errorf("got %q %s, want %q %s\n%+v", brief(rep), rep.Status, tc.want, tc.status, rep.Findings)
			}
		})
	}
}

func withProgram(files map[string]string) map[string]string {
	files["ask"] = program
	return files
}

// TestOneFileOfAnInstallation: its .env counts although only the
// configuration was named.
func TestOneFileOfAnInstallation(t *testing.T) {
	w := world{files: map[string]string{"openclaw.json": `{gateway:{auth:{token:"${T}"}}}`, ".env": "T=x1x1x1x1\n"}}
	dir := w.make(t)
	rep := w.audit(t, filepath.Join(dir, "openclaw.json"), false)
	if brief(rep) != "" || rep.Resolution.RefsChecked != 1 {
		t.Errorf("%+v", rep)
	}
}

func TestStoredCopies(t *testing.T) {
	w := world{files: map[string]string{"notes.yml": "a:\n  password: " + token + "\n"}}
	rep := w.audit(t, w.make(t), false, token)
	if brief(rep) != "STORE_PLAINTEXT_RESIDUE a.password" || rep.Findings[0].Line != 2 || rep.Findings[0].Column != 13 {
		t.Errorf("%+v", rep.Findings)
	}
}

// TestRenderings looks for the secret in every output, and for what a reader
// needs.
func TestRenderings(t *testing.T) {
	w := world{files: map[string]string{"chitin.yml": "gateway:\n  auth:\n    token: " + token + "\n" + token + ": x\n", "b.env": "PASSWORD='" + token + "'\n"}}
	rep := w.audit(t, w.make(t), false)
	for name, write := range map[string]func(*bytes.Buffer) error{"json": func(b *bytes.Buffer) error { return rep.JSON(b) }, "text": func(b *bytes.Buffer) error { return rep.Text(b) }, "sarif": func(b *bytes.Buffer) error { return rep.SARIF(b) }} {
		var buf bytes.Buffer
		if err := write(&buf); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(buf.String(), token) || !strings.Contains(buf.String(), "PLAINTEXT_FOUND") || !strings.Contains(buf.String(), "b.env") {
			t.Errorf("%s: %s", name, buf.String())
		}
		if name != "text" && !json.Valid(buf.Bytes()) {
			t.Errorf("%s is not JSON", name)
		}
	}
	if len(rep.Findings) != 2 || rep.Summary.Plaintext != 2 {
		t.Errorf("%+v", rep)
	}
}

func TestNoPathMeansOurs(t *testing.T) {
	w := world{files: map[string]string{"chitin.yml": "gateway: {auth: {token: abc}}\n"}}
	dir := w.make(t)
	rep, err := audit.Run(t.Context(), audit.Options{Config: filepath.Join(dir, "chitin.yml"), StateDir: dir, LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil || brief(rep) != "PLAINTEXT_FOUND gateway.auth.token" || rep.FilesScanned != 1 {
		t.Errorf("%v %+v", err, rep)
	}
	rep, err = audit.Run(t.Context(), audit.Options{Config: dir + "/none.yml", StateDir: dir + "/none"})
	if err != nil || rep.Status != "clean" {
		t.Errorf("nothing there: %v %+v", err, rep)
	}
}
