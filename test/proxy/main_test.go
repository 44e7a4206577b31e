package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
	"github.com/sessionkit/sessionkit/test/internal/report"
)

var (
	nginx       string          // its program
	certificate tls.Certificate // of nginx, and of the servers without it
	trusted     *x509.CertPool  // holds the certificate
	uploads     string          // the folder of the files to upload
	seen        rows            // what the browser saw
)

// full repeats each upload, also the longest ones, six times.
var full = flag.Bool("full", false, "repeat each upload six times")

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxy tests:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if nginx, err = findNginx(); err != nil {
		return 1, err
	}
	if certificate, trusted, err = newCertificate(); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "sessionkit-proxy-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	uploads = dir
	if err := writeUploads(); err != nil {
		return 1, err
	}
	code, err = chromiumtest.Run(m)
	return code, errors.Join(err, report.Print("what the browser saw through nginx", seen.text()))
}

// rows are lines of tables, as the page has them. They are safe for concurrent use.
type rows struct {
	mu    sync.Mutex
	lines map[string][]string // by table
}

// add adds a row to a table and returns it.
func (r *rows) add(table string, cells ...string) string {
	line := "| " + strings.Join(cells, " | ") + " |"
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines == nil {
		r.lines = map[string][]string{}
	}
	r.lines[table] = append(r.lines[table], line)
	return line
}

func (r *rows) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var text strings.Builder
	for _, table := range slices.Sorted(maps.Keys(r.lines)) {
		fmt.Fprintln(&text, table)
		slices.Sort(r.lines[table])
		for _, line := range r.lines[table] {
			fmt.Fprintln(&text, line)
		}
	}
	return text.String()
}
