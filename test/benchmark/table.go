package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

var columns = []string{
	"", "CPU ns added", "allocations", "requests per CPU second", "requests per second", "MariaDB CPU µs", "statements", "prepares",
}

const legend = `In process: CPU time and allocations per request in addition to those of bare echo. Over loopback HTTP, with the server on
one core and all other processes on the other: requests per second of the server's CPU time and per second of wall clock
time, relative to bare echo (1); MariaDB's CPU time per request; statements and prepares per 1,000 requests, as counted by
MariaDB.
`

func (t *table) print(w io.Writer) {
	lines := [][]string{columns}
	for _, r := range t.rows {
		line := []string{r.name,
			spreadOf(r.local.added, cpu).show(0),
			number(spreadOf(r.local.added, allocs).median(), 1),
		}
		if r.loopback == nil {
			line = append(line, "", "", "", "", "")
		} else {
			line = append(line,
				spreadOf(t.bare.remote.turns, serverCPU).paired(spreadOf(r.remote.turns, serverCPU), over).show(2),
				spreadOf(r.remote.turns, rate).paired(spreadOf(t.bare.remote.turns, rate), over).show(2),
				number(1e6*spreadOf(r.remote.turns, databaseCPU).median(), 1),
				number(1000*spreadOf(r.remote.turns, statements).median(), 1),
				number(1000*spreadOf(r.remote.turns, prepares).median(), 1))
		}
		lines = append(lines, line)
	}
	printAligned(w, lines)
}

// printAligned prints a Markdown table that is also readable in a terminal.
func printAligned(w io.Writer, lines [][]string) {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, line := range lines {
		for i, cell := range line {
			fill := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				fmt.Fprint(w, "| ", cell, fill, " |")
			} else {
				fmt.Fprint(w, " ", fill, cell, " |")
			}
		}
		fmt.Fprintln(w)
		if n > 0 {
			continue
		}
		for i, width := range widths {
			if i == 0 {
				fmt.Fprint(w, "|", strings.Repeat("-", width+2), "|")
			} else {
				fmt.Fprint(w, strings.Repeat("-", width+1), ":|")
			}
		}
		fmt.Fprintln(w)
	}
}
