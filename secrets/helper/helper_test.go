package helper_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	protocol "github.com/chitin-sh/chitin/secrets/exec"
	"github.com/chitin-sh/chitin/secrets/helper"
)

// ask sends one request and returns the response.
func ask(t *testing.T, kind string, o helper.Options, ids ...string) protocol.Response {
	t.Helper()
	req, err := json.Marshal(protocol.Request{ProtocolVersion: 1, Provider: "p", IDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := helper.Run(t.Context(), kind, o, bytes.NewReader(req), &out); err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	var resp protocol.Response
	if err := json.Unmarshal(out.Bytes(), &resp); err != nil {
		t.Fatal(err)
	}
	return resp
}

// tool is the real program. Where everything must be tested, its absence is a
// failure.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func run(t *testing.T, stdin string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func TestPass(t *testing.T) {
	pass, gpg := tool(t, "pass"), tool(t, "gpg")
	home, err := os.MkdirTemp("/tmp", "pw") // an agent's socket needs a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	t.Setenv("GNUPGHOME", home)
	t.Setenv("PASSWORD_STORE_DIR", filepath.Join(home, "store"))
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	run(t, "", gpg, "--batch", "--passphrase", "", "--quick-generate-key", "test@example", "default", "default", "never")
	run(t, "", pass, "init", "test@example")
	run(t, "from pass\nuser: bob\n", pass, "insert", "--multiline", "mail/main")
	got := ask(t, "pass", helper.Options{}, "mail/main", "mail/main#user", "mail/none", "mail/main#none", "--help", "a/../b")
	if got.Values["mail/main"] != "from pass" || got.Values["mail/main#user"] != "bob" || len(got.Values) != 2 {
		t.Errorf("values %v", got.Values)
	}
	for _, id := range []string{"mail/none", "mail/main#none"} {
		if got.Errors[id].Code != protocol.NotFound {
			t.Errorf("%s: %v", id, got.Errors[id])
		}
	}
	for _, id := range []string{"--help", "a/../b"} {
		if got.Errors[id].Code != "INVALID_ID" {
			t.Errorf("%s: %v", id, got.Errors[id])
		}
	}
}

func TestAge(t *testing.T) {
	age, keygen := tool(t, "age"), tool(t, "age-keygen")
	dir := t.TempDir()
	identity := filepath.Join(dir, "id")
	run(t, "", keygen, "-o", identity)
	recipient := strings.TrimSpace(run(t, "", keygen, "-y", identity))
	for name, text := range map[string]string{"json": `{"mail":{"password":"from age"},"n":1}`, "env": "MAIL='from age'\nexport OTHER=x\n"} {
		file := filepath.Join(dir, name+".age")
		run(t, text, age, "-r", recipient, "-o", file)
		ids := map[string][]string{"json": {"mail/password", "mail/none", "n"}, "env": {"MAIL", "NONE"}}[name]
		got := ask(t, "age", helper.Options{File: file, Identity: identity}, ids...)
		if got.Values[ids[0]] != "from age" || len(got.Values) != 1 || got.Errors[ids[1]].Code != protocol.NotFound {
			t.Errorf("%s: %+v", name, got)
		}
	}
	var out bytes.Buffer
	err := helper.Run(t.Context(), "age", helper.Options{File: identity, Identity: identity}, strings.NewReader(`{"protocolVersion":1,"ids":["x"]}`), &out)
	if err == nil || strings.Contains(err.Error(), "AGE-SECRET") {
		t.Errorf("got %v", err)
	}
}

// TestCommandLines records how each tool is called, with a stand-in.
func TestCommandLines(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "tool")
	script := "#!/bin/sh\ncase \"$*\" in *missing*) echo 'No value found at x' >&2; exit 2;; *broken*) echo hunter2secret >&2; exit 1;; *slow*) exec sleep 20;; *big*) head -c 2000000 /dev/zero | tr '\\0' x;; *) echo \"[$*]\";; esac\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{"vals": "[get ref+secrets/db#pw]", "vault": "[kv get -field=pw secrets/db]", "op": "[read op://secrets/db#pw]"} {
		o := helper.Options{Program: program, Timeout: 700 * time.Millisecond}
		got := ask(t, kind, o, "secrets/db#pw", "missing", "broken", "slow", "big")
		if got.Values["secrets/db#pw"] != want {
			t.Errorf("%s: %q", kind, got.Values["secrets/db#pw"])
		}
		codes := fmt.Sprint(got.Errors["missing"].Code, got.Errors["broken"].Code, got.Errors["slow"].Code, got.Errors["big"].Code)
		if codes != "NOT_FOUNDTOOL_FAILEDTIMEOUTTOO_LARGE" || strings.Contains(fmt.Sprint(got.Errors), "hunter2secret") {
			t.Errorf("%s: %v", kind, got.Errors)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, req := range map[string]string{"not JSON": "x", "version": `{"protocolVersion":2,"ids":[]}`, "large": strings.Repeat("x", 2<<20)} {
		if err := helper.Run(t.Context(), "op", helper.Options{Program: "/bin/true"}, strings.NewReader(req), &bytes.Buffer{}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	good := `{"protocolVersion":1,"ids":[]}`
	for kind, o := range map[string]helper.Options{"nothing": {}, "vals": {Program: "no-such-program-here"}, "age": {Program: "/bin/true", File: "rel"}} {
		if err := helper.Run(t.Context(), kind, o, strings.NewReader(good), &bytes.Buffer{}); err == nil {
			t.Errorf("%s is accepted", kind)
		}
	}
	if !slices.IsSorted(slices.Sorted(slices.Values(helper.Kinds()))) || len(helper.Kinds()) != 5 {
		t.Error("kinds")
	}
}
