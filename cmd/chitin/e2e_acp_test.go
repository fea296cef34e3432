package main

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/acp-go-sdk"

	"github.com/chitin-sh/chitin/agent/agenttest"
)

// editor is a client of the Agent Client Protocol with chitin acp as its agent.
type editor struct {
	t    *testing.T
	conn *acp.ClientSideConnection
	cmd  *exec.Cmd
	in   io.WriteCloser

	mu      sync.Mutex
	said    strings.Builder
	updates []acp.SessionUpdate
	asked   []acp.RequestPermissionRequest
	// answer says what the human does.
	answer func(context.Context, acp.RequestPermissionRequest) (acp.RequestPermissionResponse, error)
}

func choose(option string) func(context.Context, acp.RequestPermissionRequest) (acp.RequestPermissionResponse, error) {
	return func(context.Context, acp.RequestPermissionRequest) (acp.RequestPermissionResponse, error) {
		return acp.RequestPermissionResponse{Outcome: acp.NewRequestPermissionOutcomeSelected(acp.PermissionOptionId(option))}, nil
	}
}

// RequestPermission asks the human.
func (e *editor) RequestPermission(ctx context.Context, r acp.RequestPermissionRequest) (acp.RequestPermissionResponse, error) {
	e.mu.Lock()
	e.asked = append(e.asked, r)
	answer := e.answer
	e.mu.Unlock()
	return answer(ctx, r)
}

// SessionUpdate notes what happens.
func (e *editor) SessionUpdate(_ context.Context, n acp.SessionNotification) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.updates = append(e.updates, n.Update)
	if m := n.Update.AgentMessageChunk; m != nil && m.Content.Text != nil {
		e.said.WriteString(m.Content.Text.Text)
	}
	return nil
}

// The rest of what a client can offer must never be asked for.
var errUsed = errors.New("the agent used what it must not")

// ReadTextFile is not for the agent.
func (e *editor) ReadTextFile(context.Context, acp.ReadTextFileRequest) (acp.ReadTextFileResponse, error) {
	e.t.Error(errUsed)
	return acp.ReadTextFileResponse{}, errUsed
}

// WriteTextFile is not for the agent.
func (e *editor) WriteTextFile(context.Context, acp.WriteTextFileRequest) (acp.WriteTextFileResponse, error) {
	e.t.Error(errUsed)
	return acp.WriteTextFileResponse{}, errUsed
}

// CreateTerminal is not for the agent.
func (e *editor) CreateTerminal(context.Context, acp.CreateTerminalRequest) (acp.CreateTerminalResponse, error) {
	e.t.Error(errUsed)
	return acp.CreateTerminalResponse{}, errUsed
}

// KillTerminal is not for the agent.
func (e *editor) KillTerminal(context.Context, acp.KillTerminalRequest) (acp.KillTerminalResponse, error) {
	return acp.KillTerminalResponse{}, errUsed
}

// TerminalOutput is not for the agent.
func (e *editor) TerminalOutput(context.Context, acp.TerminalOutputRequest) (acp.TerminalOutputResponse, error) {
	return acp.TerminalOutputResponse{}, errUsed
}

// ReleaseTerminal is not for the agent.
func (e *editor) ReleaseTerminal(context.Context, acp.ReleaseTerminalRequest) (acp.ReleaseTerminalResponse, error) {
	return acp.ReleaseTerminalResponse{}, errUsed
}

// WaitForTerminalExit is not for the agent.
func (e *editor) WaitForTerminalExit(context.Context, acp.WaitForTerminalExitRequest) (acp.WaitForTerminalExitResponse, error) {
	return acp.WaitForTerminalExitResponse{}, errUsed
}

// editor starts chitin acp as an editor does.
func (g *running) editor(token string) *editor {
	g.t.Helper()
	e := &editor{t: g.t, cmd: exec.Command(filepath.Join(bin, "chitin"), "acp"), answer: choose("reject-once")}
	e.cmd.Env = append(append([]string{}, g.env...), "CHITIN_GATEWAY_TOKEN="+token)
	e.cmd.Stderr = &g.out
	in, err := e.cmd.StdinPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := e.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	e.in = in
	g.t.Cleanup(e.hangUp)
	e.conn = acp.NewClientSideConnection(e, in, out)
	r, err := e.conn.Initialize(g.t.Context(), acp.InitializeRequest{ProtocolVersion: acp.ProtocolVersionNumber, ClientInfo: &acp.Implementation{Name: "e2e", Version: "1"}})
	if err != nil || r.ProtocolVersion != acp.ProtocolVersionNumber || !r.AgentCapabilities.LoadSession {
		g.t.Fatalf("initialize: %+v, %v", r, err)
	}
	return e
}

// hangUp is an editor that is closed.
func (e *editor) hangUp() {
	_ = e.in.Close()
	_ = e.cmd.Wait()
}

func (e *editor) open() acp.SessionId {
	e.t.Helper()
	s, err := e.conn.NewSession(e.t.Context(), acp.NewSessionRequest{Cwd: "/", McpServers: []acp.McpServer{}})
	if err != nil {
		e.t.Fatal(err)
	}
	return s.SessionId
}

func (e *editor) prompt(s acp.SessionId, text string) acp.StopReason {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 2*time.Minute)
	defer cancel()
	r, err := e.conn.Prompt(ctx, acp.PromptRequest{SessionId: s, Prompt: []acp.ContentBlock{acp.TextBlock(text)}})
	if err != nil {
		e.t.Fatalf("prompt %q: %v", text, err)
	}
	return r.StopReason
}

// result is the text and status of the newest call that ended.
func (e *editor) result() (text string, status acp.ToolCallStatus) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range e.updates {
		if c := u.ToolCallUpdate; c != nil && c.Status != nil && len(c.Content) > 0 {
			status = *c.Status
			text = c.Content[0].Content.Content.Text.Text
		}
	}
	return text, status
}

func acpConf(model string) string {
	return "models:\n  providers:\n    fake: {api: anthropic, baseUrl: \"" + model + "\", apiKey: \"${MODEL_KEY}\"}\nagents:\n  defaults:\n    model: fake/m\n"
}

func exec1(cmd string) agenttest.Reply {
	return agenttest.Reply{Text: "I run it. ", Calls: []agenttest.Call{{ID: "c1", Name: "exec", Args: `{"command":"` + cmd + `"}`}}}
}

func TestEditor(t *testing.T) {
	needDocker(t)
	model := agenttest.New(t, exec1("echo never"), agenttest.Reply{Text: "So not."}, exec1("echo in-$((40+2))"), agenttest.Reply{Text: "Done."}, exec1("sleep 3177"))
	g := gatewayOn(t, acpConf(model.URL), "MODEL_KEY=e2e-model-key-0123456789")
	e := g.editor(g.token)
	s := e.open()

	if stop := e.prompt(s, "run something"); stop != acp.StopReasonEndTurn || e.said.String() != "I run it. So not." {
		t.Errorf("stop %s, said %q", stop, e.said.String())
	}
	if text, status := e.result(); status != acp.ToolCallStatusFailed || !strings.Contains(text, "requires approval") {
		t.Errorf("after a no: %s %q", status, text)
	}
	if !strings.Contains(model.Request(1), "requires approval") {
		t.Error("the model was not told of the no")
	}

	e.answer = choose("allow-once")
	if stop := e.prompt(s, "run it now"); stop != acp.StopReasonEndTurn {
		t.Errorf("stop %s", stop)
	}
	if text, status := e.result(); status != acp.ToolCallStatusCompleted || !strings.Contains(text, "in-42") {
		t.Errorf("after a yes: %s %q", status, text)
	}
	for _, r := range e.asked {
		for _, o := range r.Options {
			if o.Kind == acp.PermissionOptionKindAllowAlways {
				t.Error("a standing yes was offered for exec")
			}
		}
	}
	if tail, err := g.chitin("journal", "tail", "--json"); err != nil || !strings.Contains(tail, `"via":"acp `) || !strings.Contains(tail, "e2e 1") {
		t.Errorf("the journal does not tell through what was answered: %v %s", err, tail)
	}

	done := make(chan acp.StopReason, 1)
	go func() { done <- e.prompt(s, "sleep") }()
	running := func() bool { out, _ := exec.Command("pgrep", "-f", "sleep 3177").Output(); return len(out) > 0 }
	if !eventually(20*time.Second, running) {
		t.Fatal("the command never ran")
	}
	if err := e.conn.Cancel(t.Context(), acp.CancelNotification{SessionId: s}); err != nil {
		t.Fatal(err)
	}
	if stop := <-done; stop != acp.StopReasonCancelled {
		t.Errorf("after a cancellation: %s", stop)
	}
	if !eventually(10*time.Second, func() bool { return !running() }) {
		t.Error("the command outlived its turn")
	}
}

// TestEditorHangsUp: an editor that leaves while it is asked has said no, and
// its session is there for the same principal alone.
func TestEditorHangsUp(t *testing.T) {
	model := agenttest.New(t, exec1("echo never"))
	g := gatewayOn(t, acpConf(model.URL), "MODEL_KEY=e2e-model-key-0123456789")
	e := g.editor(g.token)
	s := e.open()
	asked := make(chan struct{})
	e.answer = func(ctx context.Context, _ acp.RequestPermissionRequest) (acp.RequestPermissionResponse, error) {
		close(asked)
		<-ctx.Done()
		return acp.RequestPermissionResponse{}, ctx.Err()
	}
	go func() {
		_, _ = e.conn.Prompt(t.Context(), acp.PromptRequest{SessionId: s, Prompt: []acp.ContentBlock{acp.TextBlock("run")}})
	}()
	<-asked
	e.hangUp()
	if !eventually(10*time.Second, func() bool {
		tail, _ := g.chitin("journal", "tail", "--json")
		return strings.Contains(tail, "approval.expired") && strings.Contains(tail, "hung up")
	}) {
		t.Error("the question outlived the editor")
	}
	if strings.Contains(g.out.String(), "panic") {
		t.Error(g.out.String())
	}
	load := func(token string) error {
		_, err := g.editor(token).conn.LoadSession(t.Context(), acp.LoadSessionRequest{SessionId: s, Cwd: "/", McpServers: []acp.McpServer{}})
		return err
	}
	if err := load(g.token); err != nil {
		t.Errorf("the session is gone: %v", err)
	}
	foreign := load(g.mint("stranger", "elsewhere", "write"))
	sibling := load(g.mint("sibling", "default", "write"))
	e = g.editor(g.token)
	_, absent := e.conn.LoadSession(t.Context(), acp.LoadSessionRequest{SessionId: "agent:main:acp:nothing", Cwd: "/", McpServers: []acp.McpServer{}})
	if foreign == nil || sibling == nil || absent == nil || foreign.Error() != absent.Error() || sibling.Error() != absent.Error() {
		t.Errorf("foreign %v, sibling %v, absent %v", foreign, sibling, absent)
	}
}

func TestEditorWithoutAGateway(t *testing.T) {
	g := gatewayOn(t, "")
	reader := g.mint("reader", "default", "read")
	cmd := exec.Command(filepath.Join(bin, "chitin"), "acp")
	cmd.Env = append(append([]string{}, g.env...), "CHITIN_GATEWAY_TOKEN="+reader)
	cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":7,"method":"initialize","params":{}}` + "\n")
	if out, err := cmd.Output(); err == nil || !strings.Contains(string(out), `"id":7`) || !strings.Contains(string(out), "may not run turns") {
		t.Errorf("%v: %s", err, out)
	}
}
