//go:build !linux

package proxy

import "syscall"

func withoutRights() *syscall.SysProcAttr { return nil }
