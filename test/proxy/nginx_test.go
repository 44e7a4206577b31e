package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// findNginx returns an error if there is no nginx. If the tests were skipped, they would
// seem to pass. Debian puts it into a folder that only root has in PATH.
func findNginx() (string, error) {
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no nginx in PATH: install it, on Debian with: apt-get install --no-install-recommends nginx")
}

// newCertificate returns a self-signed certificate for loopback.
func newCertificate() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool, nil
}

// configuration is what surrounds the lines of the page. %[1]s is the address to listen
// on, %[2]s is "http2" or nothing, and %[3]s are the lines.
const configuration = `daemon off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	server {
		listen %[1]s ssl %[2]s;
		ssl_certificate cert.pem;
		ssl_certificate_key key.pem;
%[3]s
	}
}
`

// nobody is Debian's user without rights.
const nobody = 65534

// startNginx starts an nginx with these lines in its server block, in front of an app, and
// returns its URL, without a slash at the end. It ends with the test. The lines name the
// app as 127.0.0.1:8080 and nginx's own port as 8443.
func startNginx(t *testing.T, lines string, http2 bool, app string) string {
	t.Helper()
	// nginx inherits the open socket: a free port could be taken before nginx listens.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	addr := listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	version := ""
	if http2 {
		version = "http2"
	}
	lines = strings.NewReplacer("127.0.0.1:8080", app, "8443", port).Replace(lines)
	dir := newFolder(t, map[string][]byte{
		"nginx.conf": fmt.Appendf(nil, configuration, addr, version, lines),
		"cert.pem":   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
		"key.pem":    privateKey(t),
	})

	log := &bytes.Buffer{}
	cmd := exec.Command(nginx, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	cmd.Stderr = log
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = append(os.Environ(), "NGINX=3;")
	cmd.SysProcAttr = withoutRights()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // its error is in the log
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it ends its workers; it may have ended
		select {
		case <-exited:
		case <-time.After(chromiumtest.Patience):
			t.Errorf("nginx did not stop in %v", chromiumtest.Patience)
			_ = cmd.Process.Kill()
			<-exited
		}
		if t.Failed() {
			t.Logf("the log of nginx, and its lines:\n%s%s", log, lines)
		}
	})
	return "https://" + addr
}

// newFolder returns a folder with these files, which nginx may read and write. It is
// removed after nginx has ended.
func newFolder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sessionkit-nginx-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	own := func(path string) {
		if os.Geteuid() == 0 {
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	own(dir)
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		own(path)
	}
	return dir
}

func privateKey(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
