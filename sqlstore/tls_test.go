package sqlstore_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// certificate writes a certificate for a host, which is its own authority, and its key to
// files. It returns the authority.
func certificate(t *testing.T, host, cert, key string) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// The documented DSN connects through TLS, and only to the server whose certificate an
// authority of the system has issued for that name. Here the system is a pool with one authority.
func TestStore_DocumentedDSNConnectsThroughTLS(t *testing.T) {
	dsn := documented(t, "DSNs")[0]
	documented, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	host, _, err := net.SplitHostPort(documented.Addr)
	if err != nil || documented.TLSConfig != "true" || !documented.InterpolateParams || documented.Timeout == 0 || documented.ReadTimeout == 0 || documented.WriteTimeout == 0 {
		t.Fatalf("the documented DSN is %s, %v", dsn, err)
	}
	server := dbtest.Start(t)
	folder := t.TempDir()
	for dir := folder; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // the server may be another user
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	authority := certificate(t, host, cert, key)
	server.Stop(t)
	server.RestartWith(t, "--ssl-cert="+cert, "--ssl-key="+key)
	root := app{db: openDSN(t, server.Database(t))}
	for _, statement := range []string{
		"CREATE DATABASE " + documented.DBName,
		"CREATE USER " + documented.User + "@'127.0.0.1' IDENTIFIED BY '" + documented.Passwd + "' REQUIRE SSL",
		"GRANT ALL ON " + documented.DBName + ".* TO " + documented.User + "@'127.0.0.1'",
	} {
		root.exec(t, statement)
	}
	open := func(authorities *x509.CertPool, name string) *sql.DB {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.TLS == nil || cfg.TLS.InsecureSkipVerify || cfg.TLS.ServerName != host {
			t.Fatalf("the driver would not check the certificate for %s: %+v", host, cfg.TLS)
		}
		cfg.TLS = &tls.Config{ServerName: name, RootCAs: authorities, MinVersion: tls.VersionTLS12}
		cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Addr())
		}
		connector, err := mysql.NewConnector(cfg)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		t.Cleanup(func() { db.Close() })
		return db
	}
	a := app{db: open(authority, host)}
	a.exec(t, integerUsers)
	a.Store = newStore(t, a.db, sqlstore.Config{})
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.setUser(t, 1, store.User{})
	a.login(t)
	var name, cipher string
	if err := a.db.QueryRowContext(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil || cipher == "" {
		t.Errorf("the connection has the cipher %q, %v", cipher, err)
	}
	other := certificate(t, host, filepath.Join(folder, "c"), filepath.Join(folder, "k"))
	for what, db := range map[string]*sql.DB{"another authority": open(other, host), "another name": open(authority, "other.example.com")} {
		if err := db.PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v; want the certificate refused", what, err)
		}
	}
}
