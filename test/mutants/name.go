package main

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// above is how many lines above a mutant count for its id, if they must.
const above = 4

// name completes the ids of a file's mutants. An id says what changes, not where it
// stands: file, function, operator, and a digest of the lines before and after. Only
// of mutants that agree in all this, as those of two equal returns do, the lines
// above count as well. So when another such line is added, an id in equivalent.txt
// comes to name no mutant, and not the wrong one.
func name(mutants []mutant) {
	prefixes := make([]string, len(mutants))
	for i, m := range mutants {
		prefixes[i] = m.id
	}
	for _, context := range []int{0, above} {
		users := map[string]int{}
		for _, m := range mutants {
			users[m.id]++
		}
		for i, m := range mutants {
			if context == 0 || users[m.id] > 1 {
				mutants[i].id = prefixes[i] + m.digest(context)
			}
		}
	}
	seen := map[string]int{}
	for i, m := range mutants {
		if seen[m.id]++; seen[m.id] > 1 {
			mutants[i].id += fmt.Sprint("#", seen[m.id])
		}
	}
}

// digest is of the lines that change, as they are and as they become, and of some
// lines above, all without the space at their ends.
func (m mutant) digest(above int) string {
	source := string(m.source)
	from := strings.LastIndex(source[:m.edit.start], "\n") + 1
	to := len(source)
	if i := strings.Index(source[m.edit.end:], "\n"); i >= 0 {
		to = m.edit.end + i
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s", trimmed(source[from:to]), trimmed(source[from:m.edit.start]+m.edit.text+source[m.edit.end:to]))
	for _, line := range linesAbove(source[:from], above) {
		fmt.Fprintf(h, "\x00%s", line)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:4])
}

// linesAbove returns up to n lines of code from the end of a text, last first, but
// none above the function that they are in.
func linesAbove(text string, n int) (above []string) {
	for text != "" && len(above) < n {
		text = strings.TrimSuffix(text, "\n")
		last := strings.LastIndex(text, "\n") + 1
		line := text[last:]
		text = text[:last]
		if code := strings.TrimSpace(line); code != "" && !strings.HasPrefix(code, "//") {
			above = append(above, code)
		}
		if strings.HasPrefix(line, "func ") {
			break
		}
	}
	return above
}

func trimmed(lines string) string {
	var out []string
	for line := range strings.SplitSeq(lines, "\n") {
		out = append(out, strings.TrimSpace(line))
	}
	return strings.Join(out, "\n")
}
