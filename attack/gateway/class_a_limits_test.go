package gateway_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
)

// strict is a gateway where loopback is not exempt.
func strict() guardtest.Options {
	return guardtest.Options{Config: gateway.Config{Auth: gateway.AuthConfig{RateLimit: gateway.RateLimitConfig{ExemptLoopback: no()}}}}
}

const budget = 10

func classALimits() []row {
	return []row{
		{
			id: "A11", advisory: "GHSA-25wv-8phj-8p7r", what: "parallel guesses outrun the counter",
			options: strict(), off: []guardtest.Defence{guardtest.Lockout},
			try: func(d *door) bool {
				var tried atomic.Int32
				var wg sync.WaitGroup
				for i := range 1000 {
					wg.Go(func() {
						if d.code(auth(fmt.Sprint("wrong-", i))...) == http.StatusUnauthorized {
							tried.Add(1)
						}
					})
				}
				wg.Wait()
				return tried.Load() > budget || d.code(auth(guardtest.Token)...) != http.StatusTooManyRequests
			},
		},
		{
			id: "A12", advisory: "GHSA-5p6w-wmh3-frfr", what: "WebSocket guesses skip the limiter",
			options: strict(), off: []guardtest.Defence{guardtest.Lockout},
			try: func(d *door) bool { return guessOverSockets(d, []string{"token"}) > budget },
		},
		{
			id: "A13", advisory: "GHSA-w9f5-8q83-qwpx", what: "changing the kind of credential gives new attempts",
			options: strict(), off: []guardtest.Defence{guardtest.Lockout},
			try: func(d *door) bool {
				tried := 0
				for i := range 4 {
					if d.code(auth(fmt.Sprint("w", i))...) == http.StatusUnauthorized {
						tried++
					}
					if d.code(auth(fmt.Sprint("chtn_", i))...) == http.StatusUnauthorized {
						tried++
					}
				}
				return tried+guessOverSockets(d, []string{"token", "password", "deviceToken", "bootstrapToken"}) > budget
			},
		},
		{
			id: "A14", advisory: "CVE-2026-35628", what: "a webhook's token can be guessed without limit",
			off: []guardtest.Defence{guardtest.Lockout},
			try: func(d *door) bool {
				for i := range 20 {
					hook(d, fmt.Sprint("wrong-", i))
				}
				return hook(d, "wrong") != http.StatusTooManyRequests || hook(d, hookToken) != http.StatusTooManyRequests
			},
		},
		{
			id: "A15", advisory: "GHSA-5m9r-p9g7-679c", what: "as A14, in parallel and without any token",
			off: []guardtest.Defence{guardtest.Lockout},
			try: func(d *door) bool {
				var tried atomic.Int32
				var wg sync.WaitGroup
				for range 300 {
					wg.Go(func() {
						if d.do(req("POST", "/hooks/wake", `{"text":"x"}`)).Code == http.StatusUnauthorized {
							tried.Add(1)
						}
					})
				}
				wg.Wait()
				return tried.Load() > 20
			},
		},
		{
			id: "A11b", advisory: "GHSA-25wv-8phj-8p7r", what: "browsers on loopback guess without limit",
			off: []guardtest.Defence{guardtest.Lockout},
			try: func(d *door) bool {
				tried := 0
				for i := range 30 {
					if d.code(append(auth(fmt.Sprint("w", i)), "Origin", "http://localhost")...) == http.StatusUnauthorized {
						tried++
					}
				}
				return tried > budget
			},
		},
	}
}

func hook(d *door, secret string) int {
	return d.do(req("POST", "/hooks/wake", `{"text":"x"}`, auth(secret)...)).Code
}

// guessOverSockets makes 16 guesses, one connection each, and returns how many
// were compared.
func guessOverSockets(d *door, fields []string) int {
	addr := d.listen()
	tried := 0
	for i := range 16 {
		ws, _, err := d.socket(addr, nil)
		if err != nil {
			return tried
		}
		m, err := rpc(ws, "connect", connectParams(map[string]any{fields[i%len(fields)]: fmt.Sprint("w", i)}))
		if err != nil {
			continue
		}
		e, _ := m["error"].(map[string]any)
		details, _ := e["details"].(map[string]any)
		if details["code"] == "AUTH_TOKEN_MISMATCH" {
			tried++
		}
		_ = ws.CloseNow()
	}
	return tried
}
