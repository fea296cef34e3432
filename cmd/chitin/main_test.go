package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// bin is the folder of the real, static program that the scripts run.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if b := os.Getenv("CHITIN_BIN"); b != "" {
		bin = filepath.Dir(b)
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "chitin-script-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, name := range []string{"chitin", "chitin-sup"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "../"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build:", err)
			return 1
		}
	}
	bin = dir
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Cmds:                commands,
		Condition:           condition,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               setup,
	})
}

// setup gives a script its own state directory, port and token.
func setup(e *testscript.Env) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	state := filepath.Join(e.WorkDir, "state")
	e.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("STATE", state)
	e.Setenv("CHITIN_STATE_DIR", state)
	e.Setenv("CHITIN_GATEWAY_PORT", port)
	e.Setenv("PORT", port)
	e.Setenv("URL", "http://127.0.0.1:"+port)
	e.Values[gatewayKey{}] = &gateway{}
	e.Defer(func() {
		e.Values[gatewayKey{}].(*gateway).kill()
		sweep(state)
	})
	return nil
}
