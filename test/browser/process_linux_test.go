package browser

import "syscall"

// diesWithTests makes the kernel end the example when the tests end in any way,
// also by a panic at their time limit, which runs no clean-up.
func diesWithTests() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
