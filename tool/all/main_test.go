package all_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/chitin-sh/chitin/sandbox/hostbox"
	"github.com/chitin-sh/chitin/sandbox/workspace"
	"github.com/chitin-sh/chitin/tool"
	"github.com/chitin-sh/chitin/tool/all"
	"github.com/chitin-sh/chitin/tool/tooltest"
)

// The test binary is also a program: TOOL_CHILD=read ROOT PATH prints a file
// of a workspace through the read tool, write takes it from stdin, and churn
// changes files until somebody kills it.
func TestMain(m *testing.M) {
	if mode := os.Getenv("TOOL_CHILD"); mode != "" {
		if err := child(mode, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func child(mode string, args []string) error {
	if len(args) < 1 {
		return fmt.Errorf("usage: ROOT [PATH]")
	}
	c, err := newClient(args[0], os.Getenv("TOOL_INTENTS"))
	if err != nil {
		return err
	}
	switch mode {
	case "read":
		res, err := c.call("read", map[string]any{"path": args[1]})
		if err != nil {
			return err
		}
		_, err = fmt.Print(res.Content[0].Text)
		return err
	case "write":
		data, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		_, err = c.call("write", map[string]any{"path": args[1], "content": string(data)})
		return err
	case "churn":
		return c.churn()
	}
	return fmt.Errorf("unknown mode %q", mode)
}

// client calls tools over one workspace.
type client struct {
	box   *hostbox.Box
	tools *tool.Registry
}

func newClient(root, intents string) (*client, error) {
	files, err := workspace.Open(root, workspace.Options{IntentDir: intents})
	if err != nil {
		return nil, err
	}
	box, err := hostbox.New(hostbox.Options{Dir: root, Workdir: "/workspace", Files: files})
	if err != nil {
		return nil, err
	}
	reg, err := tool.NewRegistry(all.Tools(all.Deps{})...)
	return &client{box: box, tools: reg}, err
}

func (c *client) call(name string, args any) (tool.Result, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return tool.Result{}, err
	}
	t, _ := c.tools.Get(name)
	return t.Run(context.Background(), &tool.Call{Args: raw, Place: tooltest.Place(c.box, false)})
}
