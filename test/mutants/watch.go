package main

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"strings"
	"time"
)

// outcome is what test binaries say of a mutant.
type outcome struct {
	killed  bool
	by      string // the test that failed first, or how else the process ended
	timeout bool
	output  string                   // the end of it
	took    map[string]time.Duration // the tests that passed, each with its parts
}

var (
	failLine = regexp.MustCompile(`^\s*--- FAIL: (\S+)`)
	passLine = regexp.MustCompile(`^\s*--- PASS: (\S+) \((\S+)\)`)
)

// watch reads a test binary's output to its end. It calls stop at the first sign
// of a failure.
func watch(output io.Reader, o *outcome, stop func()) {
	var tail [][]byte
	var running string // the test that began last
	o.took = map[string]time.Duration{}
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadBytes('\n')
		tail = append(tail, line)
		if len(tail) > 40 {
			tail = tail[1:]
		}
		text := string(line)
		switch name, isRun := strings.CutPrefix(text, "=== RUN "); {
		case o.killed:
		case isRun:
			running = strings.TrimSpace(name)
		case failLine.MatchString(text):
			o.killed, o.by = true, failLine.FindStringSubmatch(text)[1]
			stop()
		case passLine.MatchString(text):
			match := passLine.FindStringSubmatch(text)
			test, _, _ := strings.Cut(match[1], "/")
			its, _ := time.ParseDuration(match[2])
			// Only some parts are in the time of the whole: not those that run in
			// parallel. So the sum is at most twice too long, and never too short.
			o.took[test] += its
		case strings.HasPrefix(text, "panic: test timed out"):
			o.killed, o.timeout, o.by = true, true, "timeout in "+running
			stop()
		case strings.HasPrefix(text, "panic: "), strings.HasPrefix(text, "fatal error: "):
			o.killed, o.by = true, strings.TrimSpace(text)+" in "+running
			stop()
		}
		if err != nil {
			o.output = string(bytes.Join(tail, nil))
			return
		}
	}
}
