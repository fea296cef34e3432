package conformance

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Extend adds the resources and prompts that the suite reads.
func Extend(s *mcp.Server) {
	s.AddResource(&mcp.Resource{URI: "test://static-text", Name: "static-text", Description: "A text.", MIMEType: "text/plain"},
		static(&mcp.ResourceContents{MIMEType: "text/plain", Text: "This is the content of the static text resource."}))
	s.AddResource(&mcp.Resource{URI: "test://static-binary", Name: "static-binary", Description: "An image.", MIMEType: "image/png"},
		static(&mcp.ResourceContents{MIMEType: "image/png", Blob: dot()}))
	s.AddResource(&mcp.Resource{URI: "test://watched-resource", Name: "watched-resource", Description: "A text to subscribe to.", MIMEType: "text/plain"},
		static(&mcp.ResourceContents{MIMEType: "text/plain", Text: "Watched."}))
	s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "test://template/{id}/data", Name: "template", Description: "A text for an id.", MIMEType: "application/json"}, template)
	prompts(s)
}

// Complete completes what begins with what was typed.
func Complete(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	out := &mcp.CompleteResult{}
	out.Completion.Values = []string{}
	for _, v := range []string{"paris", "park", "party", "test"} {
		if strings.HasPrefix(v, req.Params.Argument.Value) {
			out.Completion.Values = append(out.Completion.Values, v)
		}
	}
	out.Completion.Total = len(out.Completion.Values)
	return out, nil
}

func static(c *mcp.ResourceContents) mcp.ResourceHandler {
	return func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		one := *c
		one.URI = req.Params.URI
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{&one}}, nil
	}
}

func template(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	m := regexp.MustCompile(`^test://template/([0-9A-Za-z-]+)/data$`).FindStringSubmatch(req.Params.URI)
	if m == nil {
		return nil, mcp.ResourceNotFoundError(req.Params.URI)
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{
		URI: req.Params.URI, MIMEType: "application/json", Text: fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, m[1], m[1]),
	}}}, nil
}

func prompts(s *mcp.Server) {
	say := func(c mcp.Content) *mcp.PromptMessage { return &mcp.PromptMessage{Role: "user", Content: c} }
	words := func(t string) *mcp.PromptMessage { return say(&mcp.TextContent{Text: t}) }
	add := func(name, about string, args []string, make func(a map[string]string) []*mcp.PromptMessage) {
		p := &mcp.Prompt{Name: name, Description: about}
		for _, a := range args {
			p.Arguments = append(p.Arguments, &mcp.PromptArgument{Name: a, Description: a + " of the prompt", Required: true})
		}
		s.AddPrompt(p, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: make(req.Params.Arguments)}, nil
		})
	}
	add("test_simple_prompt", "A prompt.", nil, func(map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{words("This is a simple prompt for testing.")}
	})
	add("test_prompt_with_arguments", "A prompt with arguments.", []string{"arg1", "arg2"}, func(a map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{words(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", a["arg1"], a["arg2"]))}
	})
	add("test_prompt_with_embedded_resource", "A prompt with a document.", []string{"resourceUri"}, func(a map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{
			say(&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: a["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing."}}),
			words("Please process the embedded resource above."),
		}
	})
	add("test_prompt_with_image", "A prompt with an image.", nil, func(map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{say(&mcp.ImageContent{Data: dot(), MIMEType: "image/png"}), words("Please analyze the image above.")}
	})
}
