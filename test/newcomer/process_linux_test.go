package newcomer

import "syscall"

// diesWithTests makes the kernel kill a program when the test process ends, also by a
// panic at its time limit, which runs no cleanup.
func diesWithTests() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
