//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"
)

// keepOwner gives a new file to the owner of the one that it replaces.
func keepOwner(f *os.File, before os.FileInfo) error {
	owner, ok := before.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if current, ok := now.Sys().(*syscall.Stat_t); ok && current.Uid == owner.Uid && current.Gid == owner.Gid {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// syncFolder makes a rename in a folder survive a crash.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
