package cluster

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sessionkit/sessionkit/internal/dbtest"
)

// A test process may end without any cleanup. All nodes must end with it, also a
// node that was killed and restarted.
func TestCluster_EndsWithTheTestProcess(t *testing.T) {
	needsDrill(t)
	const env = "SESSIONKIT_EXIT_WITHOUT_CLEANUP"
	if os.Getenv(env) != "" {
		c := dbtest.StartCluster(t, nodes)
		for _, dsn := range c.Database(t) {
			cfg, err := mysql.ParseDSN(dsn)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println("directory", filepath.Dir(cfg.Addr))
		}
		c.Nodes[1].Kill(t)
		c.Nodes[1].Restart(t)
		os.Exit(3)
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-cluster")
	child.Env = append(os.Environ(), env+"=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var left []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if path, ok := strings.CutPrefix(lines.Text(), "directory "); ok {
			left = append(left, path)
		}
	}
	if err := child.Wait(); child.ProcessState.ExitCode() != 3 || len(left) != nodes {
		t.Fatalf("the child ended with %v before it had started a cluster (directories %q)", err, left)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		running := 0
		for _, path := range left {
			if _, err := os.Stat(path); err == nil {
				running++
			}
		}
		if running == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d nodes of %q still run after the process has ended", running, left)
		}
	}
}
