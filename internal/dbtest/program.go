package dbtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// program is a database server program on this machine.
type program struct {
	path    string
	mariadb bool
}

var errNoServer = errors.New("dbtest: no MariaDB or MySQL server is installed: " +
	"run `apt-get install mariadb-server-core` (7 MB; nothing is started), " +
	"or set " + Env + " to the DSN of a server for tests")

func findProgram() (program, error) {
	for _, name := range []string{"mariadbd", "mysqld"} {
		// The PATH of a user often does not contain the folders of servers.
		for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name, "/usr/libexec/" + name} {
			path, err := exec.LookPath(candidate)
			if err != nil {
				continue
			}
			version, err := exec.Command(path, "--no-defaults", "--version").Output()
			if err != nil {
				return program{}, fmt.Errorf("dbtest: %s --version: %w", path, err)
			}
			return program{path, bytes.Contains(version, []byte("MariaDB"))}, nil
		}
	}
	return program{}, errNoServer
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
	if p.mariadb {
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
	if !p.mariadb {
		args = append(args, "--mysqlx=OFF", "--secure-file-priv=NULL")
	}
	host, port, err := net.SplitHostPort(s.tcp)
	if err != nil {
		return append(args, "--skip-networking")
	}
	return append(args, "--bind-address="+host, "--port="+port)
}

// createData creates the data directory of an empty server.
func (p program) createData(dir string) error {
	command, input := append(p.base(dir), "--initialize-insecure"), []byte(nil)
	if p.mariadb {
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
