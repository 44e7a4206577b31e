// Command mutants breaks the rules of sessionkit one at a time and says which test
// sees it. A rule must be guarded beside it: the tests of its own package must fail.
//
//	go run -C test ./mutants            # everything
//	go run -C test ./mutants -list      # what would run
//	go run -C test ./mutants -run 'feed|retry'          # by id, of those
//	go run -C test ./mutants -n=-1 -run session/judge.go # all there are in a file
//	go run -C test ./mutants -sample 12 # a few, each with the one test that kills it
//
// Mutants are of two kinds: those in reference.txt, each of which must be killed,
// and mechanical ones, made from the syntax tree and drawn at random by a seed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
)

// options are the flags.
type options struct {
	list       bool
	run        *regexp.Regexp // of ids; nil: all
	seed       uint64
	mechanical int // how many mechanical ones; negative: all
	sample     int // so many of those marked in reference.txt, and no others; 0: not so
	workers    int
}

func main() {
	var opts options
	pattern := flag.String("run", "", "only the mutants whose id matches this `regexp`")
	flag.BoolVar(&opts.list, "list", false, "print the mutants, run nothing")
	flag.Uint64Var(&opts.seed, "seed", 1, "draws the mechanical mutants")
	flag.IntVar(&opts.mechanical, "n", 260, "how many mechanical mutants are drawn; negative: all there are")
	flag.IntVar(&opts.sample, "sample", 0, "only `N` of the mutants marked sample in reference.txt")
	// One more than there are cores, because the tests of sqlstore wait for servers.
	flag.IntVar(&opts.workers, "j", runtime.NumCPU()+1, "how many mutants run at a time")
	flag.Parse()
	if *pattern != "" {
		var err error
		if opts.run, err = regexp.Compile(*pattern); err != nil {
			fmt.Fprintln(os.Stderr, "mutants:", err)
			os.Exit(2)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := perform(ctx, opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}
