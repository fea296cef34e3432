package scan_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// The corpus is made, not collected: providers that do not exist, with keys
// and formats of the kinds that exist. No value was ever issued by anybody,
// and no source line holds what a push scanner would match.

const (
	hexDigits = "0123456789abcdef"
	alnum     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	base64url = alnum + "-_"
	base32    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	lowerNum  = "abcdefghijklmnopqrstuvwxyz0123456789"
	password  = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!%*+-_.~"
)

type maker struct{ *rand.Rand }

func (m maker) pick(s ...string) string { return s[m.IntN(len(s))] }

func (m maker) text(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[m.IntN(len(alphabet))]
	}
	return string(b)
}

func (m maker) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.IntN(256))
	}
	return b
}

func (m maker) b64(n int) string { return base64.StdEncoding.EncodeToString(m.bytes(n)) }

func (m maker) uuid() string {
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", m.text(hexDigits, 8), m.text(hexDigits, 4), m.text(hexDigits, 3), m.text(hexDigits, 3), m.text(hexDigits, 12))
}

func (m maker) pem(kind string, n int) string {
	body, dashes := m.b64(n), strings.Repeat("-", 5)
	var lines []string
	for len(body) > 64 {
		lines, body = append(lines, body[:64]), body[64:]
	}
	return dashes + "BEGIN " + kind + dashes + "\n" + strings.Join(append(lines, body), "\n") + "\n" + dashes + "END " + kind + dashes
}

func (m maker) jwt() string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + enc.EncodeToString([]byte(fmt.Sprintf(`{"sub":"u%d"}`, m.IntN(9999)))) + "." + enc.EncodeToString(m.bytes(32))
}

// secret is a field that holds one.
func (m maker) secret() (key, value string) {
	vendor := m.pick("zorblax", "quimby", "norvex", "tralfa", "oscorp", "wonka", "tyrell", "cyberdyne", "veridian", "nimbus")
	env := m.pick("live", "test", "prod", "dev")
	switch m.IntN(26) {
	case 0:
		return vendor + "_api_key", vendor[:3] + "_" + env + "_" + m.text(alnum, 24+m.IntN(30))
	case 1:
		return vendor + "Token", vendor[:2] + "-" + m.text(base64url, 40)
	case 2:
		return strings.ToUpper(vendor) + "_SECRET", m.text(hexDigits, 32)
	case 3:
		return vendor + ".clientSecret", m.text(alnum, 32+m.IntN(20))
	case 4:
		return vendor + "_pat", vendor[:4] + "pat_" + m.text(alnum, 36)
	case 5:
		return "integration_key", m.uuid()
	case 6:
		return vendor + "_auth_token", m.uuid()
	case 7:
		return m.pick("password", "db_password", "adminPassword", "smtp_pass", "ldap.bind_password"), m.text(password, 14+m.IntN(10))
	case 8:
		return m.pick("secretKey", "session_secret", "encryption_key"), m.b64(32)
	case 9:
		return m.pick("DATABASE_URL", "broker", "dsn"), m.pick("postgres", "nats", "sftp", "clickhouse", "ldaps") + "://svc:" + m.text(alnum, 18) + "@db.corp.example:1234/app"
	case 10:
		return m.pick("tls_key", "privateKey"), m.pem(m.pick("PRIVATE KEY", "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), 300)
	case 11:
		return m.pick("idToken", "session", "bearer"), m.jwt()
	case 12:
		return "Authorization", m.pick("Bearer ", "Token ") + m.text(alnum, 40)
	case 13:
		return "authHeader", "Basic " + base64.StdEncoding.EncodeToString([]byte("svc:"+m.text(alnum, 20)))
	case 14:
		return vendor + "_webhook", "https://hooks." + vendor + ".example/services/" + m.text(alnum, 28)
	case 15:
		return "connection", "Server=tcp:db,1433;User ID=sa;Password=" + m.text(alnum, 20) + ";Encrypt=true"
	case 16:
		return "totp_secret", m.text(base32, 32)
	case 17:
		return "signing_key", m.text(hexDigits, 64)
	case 18:
		return vendor + "_key", m.text(alnum, 32)
	case 19:
		return vendor + "_access_token", m.text(lowerNum, 30)
	case 20:
		return "MASTER_KEY", m.text(hexDigits, 48)
	case 21:
		return "wireguard.PrivateKey", m.b64(32)
	case 22:
		return "deployToken", vendor[:3] + "." + m.text(base64url, 44)
	case 23:
		return "x-api-key", m.text(alnum, 40)
	case 24:
		return "storage_key", m.b64(64)
	}
	return vendor + "_credentials", m.text(alnum, 22)
}

// lookalike is a field that seems to hold one and does not.
func (m maker) lookalike() (key, value string) {
	name := m.pick("API_KEY", "DB_PASSWORD", "BOT_TOKEN")
	all := [][2]string{
		{"request_id", m.uuid()}, {"tenantId", m.uuid()}, {"commit", m.text(hexDigits, 40)}, {"sha256", m.text(hexDigits, 64)}, {"etag", m.text(hexDigits, 32)},
		{"integrity", "sha512-" + m.b64(64)}, {"image", "registry.example/app@sha256:" + m.text(hexDigits, 64)}, {"trace_id", m.text(hexDigits, 32)},
		{"api_key", "${" + name + "}"}, {"password", "$" + name}, {"token", "{{ .Values." + name + " }}"}, {"secret", "op://vault/item/field"}, {"token", "file:///run/secrets/x"},
		{"password", "ENC[AES256_GCM,data:" + m.b64(18) + ",iv:" + m.b64(12) + "]"}, {"api_key", "YOUR_API_KEY"}, {"token", "<your token here>"}, {"secret", "xxxxxxxxxxxxxxxxxxxx"}, {"password", "********"},
		{"password", "changeme"}, {"public_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + m.text(alnum, 43)}, {"recipient", "age1" + m.text(lowerNum, 58)}, {"stripe_publishable", "pk" + "_live_" + m.text(alnum, 24)},
		{"password_hash", "$2b$12$" + m.text(alnum, 53)}, {"client_id", m.text("0123456789", 12)}, {"account", "acct_" + m.text(alnum, 16)}, {"ulid", "01" + m.text(base32, 24)},
		{"max_tokens", "4096"}, {"token_url", "https://auth.example/oauth/token"}, {"secretName", "app-tls-secret"}, {"passwordFile", "/run/secrets/db_password"}, {"keyFile", "/etc/ssl/private/app.key"},
		{"auth_mode", "token"}, {"api_key_header", "X-API-Key"}, {"primary_key", "user_id"}, {"dsn", "postgres://localhost:5432/app"}, {"dbUrl", "postgres://${U}:${P}@db/app"},
		{"sentry_dsn", "https://" + m.text(hexDigits, 32) + "@o1.ingest.example/12"}, {"fingerprint", m.text(hexDigits, 40)}, {"model", "some-model-4-5-20250929"}, {"token_type", "bearer_token_v2"},
		{"password_policy", "min12-upper-digit1"}, {"favicon", "data:image/png;base64,iVBORw0KGgo" + m.text(alnum, 90)}, {"tokenizer", "cl100k_base_v2_2024"}, {"cache_key", "user/profile/v2"}, {"thread", "thread_" + m.text(alnum, 24)},
		{"secret_ref", "projects/p/secrets/db/versions/3"}, {"credentials_path", "~/.config/app/credentials.json"}, {"secretKeyRef", "db-credentials"},
	}
	x := all[m.IntN(len(all))]
	return x[0], x[1]
}

// place is where a value stands in a text.
type place struct {
	start, end int
	secret     bool
	key, value string
}

// document writes fields in one of several syntaxes.
func (m maker) document() (format, text string, places []place) {
	format = m.pick("yaml", "json", "env", "toml", "ini", "js", "compose")
	var b strings.Builder
	if format == "json" {
		b.WriteString("{\n")
	}
	n := 3 + m.IntN(8)
	for i := range n {
		isSecret := m.IntN(3) == 0
		key, value := m.lookalike()
		if isSecret {
			key, value = m.secret()
		}
		shown, before, after := m.field(format, key, value, i == n-1)
		b.WriteString(before)
		places = append(places, place{b.Len(), b.Len() + len(shown), isSecret, key, value})
		b.WriteString(shown + after)
	}
	if format == "json" {
		b.WriteString("}\n")
	}
	return format, b.String(), places
}

func (m maker) field(format, key, value string, last bool) (shown, before, after string) {
	escaped := strings.ReplaceAll(strings.ReplaceAll(value, `"`, `\"`), "\n", `\n`)
	upper := strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
	switch format {
	case "json":
		if last {
			return escaped, `  "` + key + `": "`, "\"\n"
		}
		return escaped, `  "` + key + `": "`, "\",\n"
	case "env":
		return escaped, m.pick("", "export ") + upper + `="`, "\"\n"
	case "toml":
		return escaped, `"` + key + `" = "`, "\"\n"
	case "ini":
		return escaped, key + " = ", "\n"
	case "js":
		return escaped, "const " + strings.NewReplacer(".", "_", "-", "_").Replace(key) + " = '", "';\n"
	case "compose":
		return escaped, "      - \"" + upper + "=", "\"\n"
	}
	if strings.Contains(value, "\n") {
		return strings.ReplaceAll(value, "\n", "\n    "), key + ": |\n    ", "\n"
	}
	return escaped, key + `: "`, "\"\n"
}
