package gateway

import (
	"math"
	"strings"

	"github.com/chitin-sh/chitin/audit"
	"github.com/chitin-sh/chitin/audit/checks/kit"
	"github.com/chitin-sh/chitin/audit/view"
)

// published reports strings that stand in documentation and example files.
func published(v string) bool {
	v = strings.ToLower(v)
	for _, known := range []string{"change-me-to-a-long-random-token", "change-me-now", "change-me-to-a-strong-password"} {
		if v == known {
			return true
		}
	}
	for _, part := range []string{"change-me", "changeme", "change_me", "replace-me", "replace_me", "your-token", "your_token", "yourtoken", "example-token", "insert-token", "placeholder"} {
		if strings.HasPrefix(v, part) {
			return true
		}
	}
	return false
}

// guessable reports a value whose characters carry little choice: under 2.5
// bits a character, or a short part repeated.
func guessable(v string) bool {
	if len(v) < 8 {
		return false // too short is another finding
	}
	count := map[rune]int{}
	n := 0
	for _, r := range v {
		count[r]++
		n++
	}
	bits := 0.0
	for _, c := range count {
		p := float64(c) / float64(n)
		bits -= p * math.Log2(p)
	}
	if bits < 2.5 {
		return true
	}
	for size := 1; size <= len(v)/3; size++ {
		if strings.Repeat(v[:size], len(v)/size+1)[:len(v)] == v {
			return true
		}
	}
	return false
}

// secretCheck makes a check of the credential that is in use.
func secretCheck(id, what, mode string, sev, title, why string, bad func(string) bool, fires, quiet []audit.Example) audit.Check {
	key := "gateway.auth." + mode
	return audit.Check{
		ID: id, Layer: audit.LayerGateway, On: audit.Both, Severity: sev, Title: title, Why: why,
		Remedy: "Replace it with a random one: chitin token create, or openssl rand -hex 32.",
		Refs:   []string{"CWE-521", "CWE-1392"},
		Run: func(s *audit.Subject) []audit.Hit {
			g := view.OfGateway(s)
			c := g.Token
			if mode == "password" {
				c = g.Password
			}
			return kit.If(g.Mode == mode && c.Value != "" && bad(c.Value), key, "The gateway's %s %s.", mode, what)
		},
		Fires: fires, Quiet: quiet,
	}
}

func strength() []audit.Check {
	weak := func(v string) bool { return guessable(v) && !published(v) }
	return []audit.Check{
		secretCheck("gateway.token_published_example", "is a string from public documentation", "token", "critical", "Gateway token is a published example",
			"Everybody knows the strings of example files, and scanners try them first.", published,
			kit.Cfg(`{gateway:{auth:{token:"change-me-to-a-long-random-token"}}}`), kit.Cfg(`{gateway:{auth:{token:"`+long+`"}}}`)),
		secretCheck("gateway.password_published_example", "is a string from public documentation", "password", "critical", "Gateway password is a published example",
			"Everybody knows the strings of example files, and scanners try them first.", published,
			kit.Cfg(`{gateway:{auth:{mode:"password",password:"change-me-to-a-strong-password"}}}`), kit.Cfg(`{gateway:{auth:{mode:"password",password:"`+long+`"}}}`)),
		secretCheck("gateway.token_low_entropy", "repeats itself and is guessed early", "token", "warn", "Gateway token is long but guessable",
			"Length without choice is no strength: one character repeated is among the first guesses.", weak,
			kit.Cfg(`{gateway:{auth:{token:"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}`, `{gateway:{auth:{token:"abcd1234abcd1234abcd1234abcd1234"}}}`), kit.Cfg(`{gateway:{auth:{token:"`+long+`"}}}`)),
		secretCheck("gateway.password_low_entropy", "repeats itself and is guessed early", "password", "warn", "Gateway password is long but guessable",
			"Length without choice is no strength: one character repeated is among the first guesses.", weak,
			kit.Cfg(`{gateway:{auth:{mode:"password",password:"111111111111111111111111"}}}`), kit.Cfg(`{gateway:{auth:{mode:"password",password:"`+long+`"}}}`)),
		{
			ID: "gateway.auth_ambiguous", Layer: audit.LayerGateway, On: audit.Both, Severity: "warn",
			Title:  "A token and a password are configured and no mode says which counts",
			Why:    "Which secret opens the gateway depends on the version; OpenClaw refuses to start with both.",
			Remedy: "Set gateway.auth.mode, and remove the secret that is not used.",
			Refs:   []string{"CWE-1188"},
			Run: func(s *audit.Subject) []audit.Hit {
				auth := s.Root.At("gateway.auth")
				return kit.If(s.Auth.Mode == "" && !auth.Get("mode").Set() && auth.Get("token").Set() && auth.Get("password").Set(), "gateway.auth",
					"gateway.auth has both a token and a password and no mode.")
			},
			Fires: kit.Cfg(`{gateway:{auth:{token:"` + long + `",password:"` + long + `x"}}}`),
			Quiet: kit.Cfg(`{gateway:{auth:{mode:"token",token:"`+long+`",password:"x"}}}`, `{gateway:{auth:{token:"`+long+`"}}}`),
		},
	}
}
