// Command sessionkit is for those who run an app with sessionkit: it lists and ends sessions, prepares and examines
// the database, and makes and changes keys. The section "The command line" of docs/operations.md describes it.
//
//	sessionkit -h
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	printWarnings()
	info, err := os.Stdin.Stat()
	e := &env{
		in:       os.Stdin,
		out:      os.Stdout,
		err:      os.Stderr,
		getenv:   os.Getenv,
		terminal: err == nil && info.Mode()&os.ModeCharDevice != 0,
	}
	code := e.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
