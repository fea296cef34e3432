package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chitin-sh/chitin/gateway"
	"github.com/chitin-sh/chitin/gateway/guardtest"
)

func listen(t *testing.T, cfg gateway.Config, state string) []net.Listener {
	t.Helper()
	if cfg.Port == 0 {
		cfg.Port = -1
	}
	ls, err := gateway.Listen(t.Context(), cfg, gateway.ListenOptions{StateDir: state, Mode: cfg.Auth.Mode})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, l := range ls {
			_ = l.Close()
		}
	})
	return ls
}

func TestBindLoopbackTakesBothFamilies(t *testing.T) {
	ls := listen(t, gateway.Config{}, "")
	first := ls[0].Addr().(*net.TCPAddr)
	if !first.IP.Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("first %v", first)
	}
	for _, l := range ls {
		a := l.Addr().(*net.TCPAddr)
		if !a.IP.IsLoopback() || a.Port != first.Port {
			t.Errorf("listens on %v", a)
		}
	}
}

func TestBindCustomAndLan(t *testing.T) {
	if a := listen(t, gateway.Config{Bind: "lan"}, "")[0].Addr().(*net.TCPAddr); !a.IP.IsUnspecified() {
		t.Errorf("lan listens on %v", a)
	}
	ls := listen(t, gateway.Config{Bind: "custom", CustomBindHost: "127.0.0.2"}, "")
	if len(ls) != 2 || ls[0].Addr().(*net.TCPAddr).IP.String() != "127.0.0.2" {
		t.Errorf("custom listens on %v", ls)
	}
	// Without a tailnet, tailnet falls back to loopback and never further.
	for _, l := range listen(t, gateway.Config{Bind: "tailnet"}, "") {
		if a := l.Addr().(*net.TCPAddr); !a.IP.IsLoopback() && !strings.HasPrefix(a.IP.String(), "100.") {
			t.Errorf("tailnet listens on %v", a)
		}
	}
}

func TestPortInUse(t *testing.T) {
	l := listen(t, gateway.Config{}, "")[0]
	_, err := gateway.Listen(t.Context(), gateway.Config{Port: l.Addr().(*net.TCPAddr).Port}, gateway.ListenOptions{})
	var se *gateway.StartError
	if !errors.As(err, &se) || !strings.Contains(se.Hint, "--port") {
		t.Errorf("%v", err)
	}
}

// whoami serves a guard and answers the caller's name.
func whoami(t *testing.T, g *gateway.Guard, ls []net.Listener) {
	t.Helper()
	s := &http.Server{ConnContext: gateway.ConnContext, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		adm, ref := g.Admit(r, protected)
		if ref != nil {
			http.Error(w, string(ref.Reason), ref.Status)
			return
		}
		_, _ = io.WriteString(w, adm.Caller.Principal())
	})}
	for _, l := range ls {
		go func() { _ = s.Serve(l) }()
	}
	t.Cleanup(func() { _ = s.Close() })
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestUnixSocketKnowsItsPeers(t *testing.T) {
	state := t.TempDir()
	cfg := gateway.Config{Bind: "unix", Auth: gateway.AuthConfig{Mode: gateway.ModeUnix}}
	ls := listen(t, cfg, state)
	path := filepath.Join(state, "gateway.sock")
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("socket %v %v", st, err)
	}
	whoami(t, guardtest.New(t, guardtest.Options{Config: cfg}), ls)
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	if got := get(t, c, "http://localhost/"); got != gateway.Process().Principal() {
		t.Errorf("we are %q", got)
	}
	if _, err := gateway.Listen(t.Context(), cfg, gateway.ListenOptions{StateDir: state}); err == nil {
		t.Error("a second gateway took the socket of a living one")
	}
	_ = os.Remove(path)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.Listen(t.Context(), cfg, gateway.ListenOptions{StateDir: state}); err == nil {
		t.Error("a file was replaced by the socket")
	}
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func issue(t *testing.T, by *authority, name string, change func(*x509.Certificate)) (tls.Certificate, *authority) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if by == nil {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		by = &authority{c, key}
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, &authority{leaf, key}
}

func writePEM(t *testing.T, path string, c tls.Certificate) {
	t.Helper()
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	caCert, ca := issue(t, nil, "clients", nil)
	writePEM(t, filepath.Join(dir, "ca.pem"), caCert)
	_, evil := issue(t, nil, "clients", nil)
	cfg := gateway.Config{
		TLS:  gateway.TLSConfig{Enabled: true, AutoGenerate: true},
		Auth: gateway.AuthConfig{Mode: gateway.ModeMTLS, MTLS: gateway.MTLSConfig{CAPath: filepath.Join(dir, "ca.pem"), AllowUsers: []string{"bob"}}},
	}
	ls := listen(t, cfg, dir)
	whoami(t, guardtest.New(t, guardtest.Options{Config: cfg}), ls)
	url := "https://" + ls[0].Addr().String() + "/"
	with := func(certs ...tls.Certificate) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certs}}} //nolint:gosec // self-signed on purpose
	}
	bob, _ := issue(t, ca, "bob", nil)
	eve, _ := issue(t, ca, "eve", nil)
	forged, _ := issue(t, evil, "bob", nil)
	old, _ := issue(t, ca, "bob", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	for name, tc := range map[string]struct {
		client *http.Client
		want   string
	}{
		"right": {with(bob), "mtls:bob"}, "none": {with(), "credential_missing"}, "not listed": {with(eve), "identity_refused"},
		"other authority": {with(forged), "tls:"}, "expired": {with(old), "tls:"},
	} {
		if got := get(t, tc.client, url); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cert.pem")
	first, _ := issue(t, nil, "first", nil)
	second, _ := issue(t, nil, "second", nil)
	writePEM(t, path, first)
	ls := listen(t, gateway.Config{TLS: gateway.TLSConfig{Enabled: true, CertPath: path, KeyPath: path}}, dir)
	whoami(t, guardtest.New(t, guardtest.Options{}), ls)
	shown := func() string {
		c, err := tls.Dial("tcp", ls[0].Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // self-signed on purpose
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if shown() != "first" {
		t.Fatal("wrong certificate")
	}
	writePEM(t, path, second)
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(3 * time.Second)
	for shown() != "second" {
		if time.Now().After(end) {
			t.Fatal("the new certificate is not used")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if shown() != "second" {
		t.Error("a broken file replaced a good certificate")
	}
}
