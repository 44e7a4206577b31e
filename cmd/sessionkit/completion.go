package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
)

// completion prints a script that a shell evaluates. It comes from the table of commands.
func completion(_ context.Context, i *invocation) error {
	var script func([]command) string
	switch i.args[0] {
	case "bash":
		script = bashCompletion
	case "zsh":
		script = func(c []command) string {
			return "autoload -U +X bashcompinit && bashcompinit\n" + bashCompletion(c)
		}
	default:
		return usageError("there is no completion for %q: use bash or zsh", printable(i.args[0]))
	}
	fmt.Fprint(i.out, script(commands()))
	return nil
}

// fileFlags are the flags whose value is a file.
var fileFlags = []string{"-config", "-file"}

// bashCompletion is for bash, and for zsh with bashcompinit. A command of two words is completed one word after the other.
func bashCompletion(all []command) string {
	var first []string
	second := map[string][]string{}
	var cases strings.Builder
	for _, c := range all {
		word, rest, _ := strings.Cut(c.name, " ")
		if !slices.Contains(first, word) {
			first = append(first, word)
		}
		if rest != "" {
			second[word] = append(second[word], rest)
		}
		fmt.Fprintf(&cases, "\t\t%q) words=%q ;;\n", c.name, strings.Join(append(slices.Clone(c.words), c.flagNames()...), " "))
	}
	var groups strings.Builder
	for _, word := range first {
		if len(second[word]) > 0 {
			fmt.Fprintf(&groups, "\t\t%s)\n\t\t\tif [ \"$COMP_CWORD\" -eq 2 ]; then words=%q; name=; else name=\"%s ${COMP_WORDS[2]}\"; fi ;;\n",
				word, strings.Join(second[word], " "), word)
		}
	}
	return `_sessionkit() {
	local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" name="${COMP_WORDS[1]}" words=
	case "$previous" in
		` + strings.Join(fileFlags, "|") + `) COMPREPLY=($(compgen -f -- "$current")); return ;;
		-step) COMPREPLY=($(compgen -W "add use drop" -- "$current")); return ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "` + strings.Join(first, " ") + `" -- "$current"))
		return
	fi
	case "$name" in
` + groups.String() + `	esac
	case "$name" in
` + cases.String() + `	esac
	COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _sessionkit sessionkit
`
}

// flagNames returns the flags of a command as they are typed.
func (c command) flagNames() (names []string) {
	(&invocation{}).flagSet(c).VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
	return append(names, "-h")
}
