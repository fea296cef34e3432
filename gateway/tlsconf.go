package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chitin-sh/chitin/internal/securefile"
)

// serverTLS is the TLS configuration, nil for plain HTTP.
func serverTLS(cfg Config, opt ListenOptions) (*tls.Config, error) {
	if !cfg.TLS.Enabled {
		return nil, nil //nolint:nilnil // no TLS is an answer
	}
	cert, key := cfg.TLS.CertPath, cfg.TLS.KeyPath
	if cert == "" {
		if !cfg.TLS.AutoGenerate || opt.StateDir == "" {
			return nil, startRefusal(exitConfig, "gateway.tls is enabled and there is no certificate.", "set gateway.tls.certPath and keyPath, or autoGenerate: true")
		}
		var err error
		if cert, key, err = selfSigned(opt.StateDir, time.Now()); err != nil {
			return nil, err
		}
	}
	r := &certReloader{cert: cert, key: key}
	if _, err := r.get(); err != nil {
		return nil, startRefusal(exitConfig, "gateway.tls: "+err.Error()+".", "check gateway.tls.certPath and keyPath")
	}
	conf := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.get() },
	}
	ca := cfg.Auth.MTLS.CAPath
	if ca == "" {
		ca = cfg.TLS.CAPath
	}
	if ca != "" {
		pool, err := readPool(ca)
		if err != nil {
			return nil, startRefusal(exitConfig, "gateway.auth.mtls.caPath: "+err.Error()+".", "name a PEM file with the client certificate authorities")
		}
		// A certificate is demanded by the guard, not here: liveness needs none.
		conf.ClientCAs, conf.ClientAuth = pool, tls.VerifyClientCertIfGiven
	}
	return conf, nil
}

func readPool(path string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s has no certificate", path)
	}
	return pool, nil
}

// certReloader reads the certificate again when its file changes. A broken new
// file keeps the old certificate in use.
type certReloader struct {
	cert, key string
	mu        sync.Mutex
	have      *tls.Certificate
	stamp     [2]time.Time
	looked    time.Time
}

func (r *certReloader) get() (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.have != nil && now.Sub(r.looked) < time.Second {
		return r.have, nil
	}
	r.looked = now
	stamp := [2]time.Time{modTime(r.cert), modTime(r.key)}
	if r.have != nil && stamp == r.stamp {
		return r.have, nil
	}
	c, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil {
		if r.have != nil {
			return r.have, nil
		}
		return nil, err
	}
	r.have, r.stamp = &c, stamp
	return r.have, nil
}

func modTime(path string) time.Time {
	st, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

const (
	selfSignedFor   = 365 * 24 * time.Hour
	selfSignedRenew = 30 * 24 * time.Hour // made anew when less is left
)

// selfSigned makes or reuses a certificate in the state directory.
func selfSigned(state string, now time.Time) (certPath, keyPath string, err error) {
	dir := filepath.Join(state, "tls")
	certPath, keyPath = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if c, err := tls.LoadX509KeyPair(certPath, keyPath); err == nil {
		if leaf, err := x509.ParseCertificate(c.Certificate[0]); err == nil && leaf.NotAfter.Sub(now) > selfSignedRenew {
			return certPath, keyPath, nil
		}
	}
	if err := securefile.MkdirAll(dir); err != nil {
		return "", "", err
	}
	certPEM, keyPEM, err := newSelfSigned(now)
	if err != nil {
		return "", "", fmt.Errorf("self-signed certificate: %w", err)
	}
	if err := securefile.Write(keyPath, keyPEM); err != nil {
		return "", "", err
	}
	return certPath, keyPath, securefile.Write(certPath, certPEM)
}

func newSelfSigned(now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "chitin gateway"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, BasicConstraintsValid: true,
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		t.DNSNames = append(t.DNSNames, name)
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			t.IPAddresses = append(t.IPAddresses, n.IP)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}
