package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// program is a database server program on this machine.
type program struct{ path, version string }

// EnvProgram is the name of the environment variable that contains the path of a server
// program, of MariaDB or MySQL. If it is set, whatever starts a server starts this one.
const EnvProgram = "SESSIONKIT_TEST_MYSQLD"

var errNoServer = errors.New("dbtest: no MariaDB or MySQL server is installed: " +
	"run `apt-get install mariadb-server-core` (7 MB; nothing is started), " +
	"set " + EnvProgram + " to the path of a server program, " +
	"or " + Env + " to the DSN of a server for tests")

// findProgram returns the program that EnvProgram names, or else one that is installed.
// It must have the version of the server in Env: a test that starts a server for itself
// would otherwise silently run on another one.
func findProgram() (program, error) {
	p, err := namedOrInstalled()
	if err != nil {
		return program{}, err
	}
	dsn := os.Getenv(Env)
	if dsn == "" {
		return p, nil
	}
	given, err := version(dsn)
	if err != nil {
		return program{}, fmt.Errorf("dbtest: the server in %s: %w", Env, err)
	}
	if !sameVersion(given, p.version) {
		return program{}, fmt.Errorf("dbtest: the server in %s has the version %s, but %s, which this test would start, has %s: "+
			"set %s to the program of that version", Env, given, p.path, p.version, EnvProgram)
	}
	return p, nil
}

func namedOrInstalled() (program, error) {
	if path := os.Getenv(EnvProgram); path != "" {
		p, err := newProgram(path)
		if err != nil {
			return program{}, fmt.Errorf("dbtest: %s names %s, which does not run: %w", EnvProgram, path, err)
		}
		return p, nil
	}
	for _, name := range []string{"mariadbd", "mysqld"} {
		// The PATH of a user often does not contain the folders of servers.
		for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name, "/usr/libexec/" + name} {
			path, err := exec.LookPath(candidate)
			if err != nil {
				continue
			}
			p, err := newProgram(path)
			if err != nil {
				return program{}, fmt.Errorf("dbtest: %s: %w", path, err)
			}
			return p, nil
		}
	}
	return program{}, errNoServer
}

var versionOf = regexp.MustCompile(`\bVer (\S+)`)

func newProgram(path string) (program, error) {
	output, err := exec.Command(path, "--no-defaults", "--version").Output()
	if err != nil {
		return program{}, fmt.Errorf("--version: %w", err)
	}
	match := versionOf.FindSubmatch(output)
	if match == nil {
		return program{}, fmt.Errorf("--version printed no version: %q", output)
	}
	return program{path, string(match[1])}, nil
}

func (p program) mariadb() bool { return strings.Contains(p.version, "MariaDB") }

// sameVersion compares the numbers, and the words MariaDB, of two versions. The rest names
// the distribution and settings.
func sameVersion(a, b string) bool {
	one, _, _ := strings.Cut(a, "-")
	other, _, _ := strings.Cut(b, "-")
	return one == other && strings.Contains(a, "MariaDB") == strings.Contains(b, "MariaDB")
}

// base returns the first arguments of every command line.
func (p program) base(dir string) []string {
	// The server does not use the common temporary directory: at its start a server
	// removes the temporary tables of other servers there.
	args := []string{p.path, "--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--tmpdir=" + dir}
	if os.Geteuid() == 0 {
		args = append(args, "--user=root") // without this option the server does not run as root
	}
	args = append(args, "--innodb-doublewrite=0", "--innodb-buffer-pool-size=32M")
	// A commit must survive the end of the server process, but not of the machine.
	// Each commit writes the log. MariaDB has an option that turns synchronization
	// off; on MySQL synchronization is fast if the directory is in memory.
	if p.mariadb() {
		args = append(args, "--innodb-flush-method=nosync", "--innodb-log-file-size=8M", "--innodb-autoextend-increment=2")
	}
	return args
}

// command returns the command line that runs the server.
func (p program) command(s *Server) []string {
	args := append(p.base(s.dir),
		"--socket="+s.socket(),
		"--pid-file="+filepath.Join(s.dir, "pid"),
		"--skip-log-bin", "--skip-name-resolve", "--performance-schema=OFF", "--max-connections=600")
	args = append(args, s.options...)
	if !p.mariadb() {
		args = append(args, "--mysqlx=OFF", "--secure-file-priv=NULL")
	}
	host, port, err := net.SplitHostPort(s.tcp)
	if err != nil {
		return append(args, "--skip-networking")
	}
	return append(args, "--bind-address="+host, "--port="+port)
}

// createData creates the data directory of an empty server.
func (p program) createData(dir string, options ...string) error {
	command, input := append(p.base(dir), "--initialize-insecure"), []byte(nil)
	if p.mariadb() {
		// mariadb-install-db does the same, but takes twice the time and is in another
		// package.
		var err error
		if input, err = p.systemTables(); err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
			return err
		}
		command = append(p.base(dir), "--bootstrap", "--skip-networking")
	}
	command = append(command, options...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(input)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("creating its data: %w\n%s", err, output[max(0, len(output)-2000):])
	}
	return nil
}

// systemTables returns the SQL statements that create MariaDB's system tables.
func (p program) systemTables() ([]byte, error) {
	shares := []string{"/usr/share/mysql", "/usr/share/mariadb"}
	if path, err := filepath.EvalSymlinks(p.path); err == nil {
		prefix := filepath.Dir(filepath.Dir(path))
		shares = append(shares, filepath.Join(prefix, "share"), filepath.Join(prefix, "share", "mysql"), filepath.Join(prefix, "share", "mariadb"))
	}
	for _, share := range shares {
		for _, prefix := range []string{"mariadb", "mysql"} {
			tables, err := os.ReadFile(filepath.Join(share, prefix+"_system_tables.sql"))
			if err != nil {
				continue
			}
			data, err := os.ReadFile(filepath.Join(share, prefix+"_system_tables_data.sql"))
			if err != nil {
				continue
			}
			return bytes.Join([][]byte{
				[]byte("CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"), tables, data,
			}, nil), nil
		}
	}
	return nil, fmt.Errorf("the file mysql_system_tables.sql is in none of %q", shares)
}
