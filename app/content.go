package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/chitin-sh/chitin/external"
	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/server/httpapi"
	"github.com/chitin-sh/chitin/tool"
	contenttool "github.com/chitin-sh/chitin/tool/content"
)

// contentTools look at text from outside for a caller.
func (a *App) contentTools() []tool.Tool {
	return contenttool.Tools(contenttool.Deps{
		Scan: func(text string) any { return external.ServeScan(external.ScanRequest{Text: text}) },
		Wrap: func(text, source, from, subject string) string {
			return external.Wrap(text, external.Meta{Source: source, From: from, Subject: subject}, a.live.Load().loaded.External.Options()...).Text()
		},
	})
}

// contentRoutes are the same over plain HTTP.
func (a *App) contentRoutes() []httpapi.Extra {
	post := []string{http.MethodPost}
	return []httpapi.Extra{
		{Route: gateway.Route{Path: "/content/scan", Methods: post, Scope: gateway.ScopeRead, About: "Whether a text tries to give orders."}, Handler: answering(func(r external.ScanRequest) any { return external.ServeScan(r) })},
		{Route: gateway.Route{Path: "/content/wrap", Methods: post, Scope: gateway.ScopeRead, About: "A text behind markers that it cannot forge."}, Handler: answering(func(r external.WrapRequest) any {
			return external.ServeWrap(a.live.Load().loaded.External, r)
		})},
	}
}

// answering decodes a bounded JSON body and answers with JSON.
func answering[T interface{ Check() error }](serve func(T) any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req T
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2*external.MaxText))
		if err == nil {
			err = readContent(body, &req)
		}
		if err == nil {
			err = req.Check()
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if err != nil {
			status, msg := http.StatusBadRequest, err.Error()
			var big *http.MaxBytesError
			if errors.As(err, &big) {
				status, msg = http.StatusRequestEntityTooLarge, "Payload too large"
			}
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": msg, "type": "invalid_request_error"}})
			return
		}
		_ = json.NewEncoder(w).Encode(serve(req))
	})
}

// readContent decodes a request, which has a text, and says what is wrong
// without quoting it.
func readContent(body []byte, req any) error {
	var has struct {
		Text *string `json:"text"`
	}
	var kind *json.UnmarshalTypeError
	err := errors.Join(json.Unmarshal(body, req), json.Unmarshal(body, &has))
	switch {
	case !utf8.Valid(body):
		return errors.New("the body is not UTF-8")
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s must be a %s", kind.Field, kind.Type)
	case err != nil:
		return errors.New("the body is not a JSON object of the right form")
	case has.Text == nil:
		return errors.New("text is required")
	}
	return nil
}
