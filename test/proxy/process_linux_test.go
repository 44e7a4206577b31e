package proxy

import (
	"os"
	"syscall"
)

// withoutRights makes nginx run as an ordinary user. The kernel stops nginx when the test
// process ends, also by a panic at its time limit, which runs no cleanup.
func withoutRights() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // after a SIGKILL its worker would go on
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return attr
}
