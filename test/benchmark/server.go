package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// A server is a site in a separate process, on one core. It is frozen between its
// turns, so that its background work does not affect the other contenders.
type server struct {
	process *os.Process
	addr    string
}

func startServer(s *site, dsn string) *server {
	cmd := exec.Command(must(os.Executable()), "-serve", s.name, "-dsn", dsn, fmt.Sprintf("-short=%t", *short))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	// The kernel kills the server when this process ends. A frozen process could not
	// react to a closed pipe.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	answers := must(cmd.StdoutPipe())
	check(cmd.Start())
	pin(cmd.Process.Pid, serverCore)
	addr := must(bufio.NewReader(answers).ReadString('\n'))
	return &server{cmd.Process, strings.TrimSpace(addr)}
}

func (s *server) freeze() { check(s.process.Signal(syscall.SIGSTOP)) }
func (s *server) thaw()   { check(s.process.Signal(syscall.SIGCONT)) }

// serveSite runs a site in a server process. It does not return.
func serveSite(name, dsn string) {
	i := slices.IndexFunc(sites, func(s *site) bool { return s.name == name })
	if i < 0 {
		fail(fmt.Errorf("there is no site %q", name))
	}
	e := must(sites[i].build(context.Background(), dsn))
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	fmt.Println(l.Addr())
	fail(http.Serve(l, e))
}
