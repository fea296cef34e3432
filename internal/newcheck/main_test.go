package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScaffold(t *testing.T) {
	root := t.TempDir()
	list := filepath.Join(root, "audit", "checks", "all", "all.go")
	for _, dir := range []string{filepath.Dir(list), filepath.Join(root, "audit", "checks", "gateway")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "audit", "checks", "all", "all.go"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := scaffold(root, "gateway.new_thing"); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{list, filepath.Join(root, "audit", "checks", "gateway", "gateway_new_thing.go")} {
		if _, err := parser.ParseFile(token.NewFileSet(), f, nil, 0); err != nil {
			t.Error(err)
		}
	}
	edited, err := os.ReadFile(list)
	if err != nil || !strings.Contains(string(edited), "gateway.GatewayNewThing(),") {
		t.Errorf("the list is not extended: %v", err)
	}
	for _, id := range []string{"gateway.new_thing", "gateway.bind_no_auth", "nowhere.x", "gateway.", "gateway..x", "gateway.X", "gateway.a/../b", ""} {
		if scaffold(root, id) == nil {
			t.Errorf("%q is accepted", id)
		}
	}
}

func TestRender(t *testing.T) {
	root := t.TempDir()
	if err := render(root); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"checks.md", "audit-differences.md"} {
		if text, err := os.ReadFile(filepath.Join(root, "docs", name)); err != nil || len(text) < 1000 {
			t.Errorf("%s: %v, %d bytes", name, err, len(text))
		}
	}
}
