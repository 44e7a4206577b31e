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

// A server is a site in a process of its own, on one core. While it is not its
// turn it is frozen: what it would do in the background disturbs nobody.
type server struct {
	process *os.Process
	addr    string
}

func startServer(s *site, dsn string) *server {
	cmd := exec.Command(must(os.Executable()), "-serve", s.name, "-dsn", dsn, fmt.Sprintf("-short=%t", *short))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	// Not by a pipe: a frozen process would not notice that it was closed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	answers := must(cmd.StdoutPipe())
	check(cmd.Start())
	pin(cmd.Process.Pid, serverCore)
	addr := must(bufio.NewReader(answers).ReadString('\n'))
	return &server{cmd.Process, strings.TrimSpace(addr)}
}

func (s *server) freeze() { check(s.process.Signal(syscall.SIGSTOP)) }
func (s *server) thaw()   { check(s.process.Signal(syscall.SIGCONT)) }

// serveSite is the whole life of the other process.
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
