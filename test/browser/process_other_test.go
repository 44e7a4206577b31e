//go:build !linux

package browser

import "syscall"

func diesWithTests() *syscall.SysProcAttr { return nil }
