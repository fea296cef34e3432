package migrate_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/chitin-sh/chitin/secrets"
	"github.com/chitin-sh/chitin/secrets/doc"
	"github.com/chitin-sh/chitin/secrets/migrate"
)

const yamlBefore = `# the gateway
gateway:
  auth:
    token: "q8Zr2mVx7Lp4Wn9Tk3Bd6Hs1"   # rotate me
    password: ${GW_PASSWORD}
hooks: {token: plain-token-77x, path: /hooks}
note: postgres://app:Zx81kQp29Lm@db/app
`

func free(string, secrets.Value) bool { return false }

func TestYAML(t *testing.T) {
	p, err := migrate.Make("chitin.yml", []byte(yamlBefore), migrate.Store, free)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(`"q8Zr2mVx7Lp4Wn9Tk3Bd6Hs1"`, "{source: store, provider: default, id: gateway.auth.token}", "plain-token-77x", "{source: store, provider: default, id: hooks.token}").Replace(yamlBefore)
	if string(p.New) != want {
		t.Errorf("got\n%s\nwant\n%s", p.New, want)
	}
	if len(p.Items) != 2 || p.Items[0].Value.Reveal() != "q8Zr2mVx7Lp4Wn9Tk3Bd6Hs1" || p.Items[0].Line != 4 {
		t.Errorf("items %+v", p.Items)
	}
	if len(p.Manual) != 1 || !strings.Contains(p.Manual[0], "note (line 7)") {
		t.Errorf("manual %v", p.Manual)
	}
	diff, err := p.Diff()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"q8Zr2mVx7Lp4Wn9Tk3Bd6Hs1", "plain-token-77x", "Zx81kQp29Lm"} {
		if strings.Contains(diff, secret) || strings.Contains(string(p.Backup), secret) {
			t.Errorf("%s is in the diff or the backup", secret)
		}
	}
	var back struct {
		Gateway struct {
			Auth struct{ Token, Password secrets.Field }
		}
	}
	if err := yaml.Unmarshal(p.New, &back); err != nil || back.Gateway.Auth.Token.String() != "store:default:gateway.auth.token" {
		t.Errorf("%v %v", err, back.Gateway.Auth.Token)
	}
}

func TestJSON5ToEnv(t *testing.T) {
	p, err := migrate.Make("openclaw.json", []byte("{gateway: {auth: {token: 'plain-token-77x'}}, models: {providers: {'ac-me': {apiKey: \"sk-plain\"}}}}"), migrate.TargetFor("openclaw.json"), func(name string, _ secrets.Value) bool { return name == "GATEWAY_AUTH_TOKEN" })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(p.New), `{gateway: {auth: {token: "${GATEWAY_AUTH_TOKEN_2}"}}, models: {providers: {'ac-me': {apiKey: "${MODELS_PROVIDERS_AC_ME_APIKEY}"}}}}`; got != want {
		t.Errorf("got %s", got)
	}
	if _, err := doc.Parse(doc.JSON, p.New); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotEdited(t *testing.T) {
	p, err := migrate.Make("c.yml", []byte("token: |\n  first-part-9x\n  second-part\npassword: \"esc\\\"aped-1x\"\n"), migrate.Store, free)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Items) != 0 || len(p.Manual) < 2 {
		t.Errorf("%+v", p)
	}
	if _, err := migrate.Make("main.go", nil, migrate.Store, free); err == nil {
		t.Error("source code is migrated")
	}
}
