package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/store"
)

// The exit codes. Scripts depend on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnavailable = 4
	exitUnfinished  = 5
)

var (
	errUsage       = errors.New("usage")
	errNotFound    = errors.New("not found")
	errUnavailable = errors.New("the database is unavailable")
	errUnfinished  = errors.New("some sessions have not ended yet: run the same command again, which goes on with the rest")
)

// usageError says that the command line is wrong.
func usageError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// exitCode returns the exit code of an error. An unfinished revocation may be unavailable, too.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errNotFound), errors.Is(err, session.ErrNotFound):
		return exitNotFound
	case errors.Is(err, errUnfinished), errors.Is(err, session.ErrUnfinished):
		return exitUnfinished
	case errors.Is(err, errUnavailable), errors.Is(err, session.ErrStoreUnavailable):
		return exitUnavailable
	}
	return exitFailed
}

// env is what a command has from its process.
type env struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	terminal bool // in is a terminal, so a person can answer

	wrap func(store.Store) store.Store // around the store of the commands; nil: none
}

// invocation is one command that runs, with its flags and arguments.
type invocation struct {
	*env
	args []string

	config, user, external, file, step string
	actor                              string
	since                              time.Duration
	except                             texts
	json, yes, unused                  bool

	given    map[string]bool // the flags of the command line
	warnings []string        // what the kit has logged so far
}

// texts is a flag that may be given several times.
type texts []string

// String implements flag.Value.
func (t *texts) String() string { return strings.Join(*t, ",") }

// Set implements flag.Value.
func (t *texts) Set(value string) error {
	*t = append(*t, value)
	return nil
}

// flags adds each flag that a command can have.
var flags = map[string]func(*flag.FlagSet, *invocation){
	"config": func(f *flag.FlagSet, i *invocation) {
		f.StringVar(&i.config, "config", "", "the configuration's `file`; default: $SESSIONKIT_CONFIG, or sessionkit.json if it exists")
	},
	"json": func(f *flag.FlagSet, i *invocation) { f.BoolVar(&i.json, "json", false, "print JSON") },
	"yes":  func(f *flag.FlagSet, i *invocation) { f.BoolVar(&i.yes, "yes", false, "do it without a question") },
	"user": func(f *flag.FlagSet, i *invocation) {
		f.StringVar(&i.user, "user", "", "the `id` of a user, as the app gives it to session.Login")
	},
	"except": func(f *flag.FlagSet, i *invocation) {
		f.Var(&i.except, "except", "a `session` of the user that goes on; may be given several times")
	},
	"external": func(f *flag.FlagSet, i *invocation) {
		f.StringVar(&i.external, "external", "", "end the sessions that an identity provider calls by this `id`")
	},
	"file": func(f *flag.FlagSet, i *invocation) { f.StringVar(&i.file, "file", "", "the `file` with the keys") },
	"step": func(f *flag.FlagSet, i *invocation) {
		f.StringVar(&i.step, "step", "", "the `step`: add a new key last, use the last key first, drop the last key")
	},
	"actor": func(f *flag.FlagSet, i *invocation) {
		f.StringVar(&i.actor, "actor", "", "who did it for somebody else: the `id` of a user, \"operator NAME\", or what the app says")
	},
	"since": func(f *flag.FlagSet, i *invocation) {
		f.DurationVar(&i.since, "since", 24*time.Hour, "how far to look back: a `duration` such as 90m or 720h")
	},
	"unused": func(f *flag.FlagSet, i *invocation) {
		f.BoolVar(&i.unused, "unused", false, "with -step drop: the event old-key no longer occurs on any node")
	},
}

// command is one command of the program.
type command struct {
	name    string // one word or two
	args    string // for the usage; empty: there are none
	minArgs int
	maxArgs int
	words   []string // that its argument can be; nil: anything
	flags   []string // of the table above
	summary string
	run     func(context.Context, *invocation) error
}

// commands returns the table of all commands.
func commands() []command {
	return []command{
		{name: "key new", flags: []string{"json"}, summary: "print a new key", run: keyNew},
		{name: "key check", flags: []string{"file", "json"}, summary: "say whether keys are good: of a file, of $SESSION_KEYS, or of the standard input", run: keyCheck},
		{name: "key rotate", flags: []string{"file", "step", "unused", "yes"}, summary: "change the key in a file, one step at a time, without logging anybody out", run: keyRotate},
		{name: "schema", flags: []string{"config"}, summary: "print the SQL that creates the kit's tables", run: printSchema},
		{name: "migrate", flags: []string{"config", "yes"}, summary: "create or upgrade the kit's tables, and check everything", run: migrate},
		{name: "doctor", flags: []string{"config", "user", "json"}, summary: "check everything and change nothing; with -user, log in as that user to count the statements of a refresh", run: doctor},
		{name: "list", flags: []string{"config", "user", "json"}, summary: "list the live sessions of a user", run: list},
		{name: "show", args: "SESSION", minArgs: 1, maxArgs: 1, flags: []string{"config", "json"}, summary: "show one session", run: show},
		{name: "revoke", args: "[SESSION]", maxArgs: 1, flags: []string{"config", "user", "except", "external", "yes", "json"}, summary: "end one session of a user, all of a user, or those of an external id", run: revoke},
		{name: "revoke-all", flags: []string{"config", "yes", "json"}, summary: "end every session of every user", run: revokeAll},
		{name: "stats", flags: []string{"config", "json"}, summary: "count sessions", run: stats},
		{name: "audit", flags: []string{"config", "user", "actor", "since", "json"}, summary: "print the audit log, if the app has one: who did what", run: audit},
		{name: "completion", args: "bash|zsh", minArgs: 1, maxArgs: 1, words: []string{"bash", "zsh"}, summary: "print a script that completes commands and flags in a shell", run: completion},
	}
}

// run runs the command that args name, and returns the exit code.
func (e *env) run(ctx context.Context, args []string) int {
	err := e.dispatch(ctx, args)
	if err != nil {
		fmt.Fprintf(e.err, "sessionkit: %s\n", printableLines(err.Error()))
	}
	return exitCode(err)
}

func (e *env) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		printUsage(e.err)
		return usageError("name a command")
	}
	if slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		printUsage(e.out)
		return nil
	}
	for _, c := range commands() {
		words := strings.Fields(c.name)
		if len(args) < len(words) || !slices.Equal(args[:len(words)], words) {
			continue
		}
		i := &invocation{env: e, given: map[string]bool{}}
		set := i.flagSet(c)
		switch rest, err := parse(set, args[len(words):]); {
		case errors.Is(err, flag.ErrHelp):
			c.printHelp(e.out, set)
			return nil
		case err != nil:
			return usageError("%s: %v: see sessionkit %s -h", c.name, err, c.name)
		case len(rest) < c.minArgs || len(rest) > c.maxArgs:
			return usageError("%s takes %s, and there are %d: see sessionkit %s -h", c.name, c.counts(), len(rest), c.name)
		default:
			i.args = rest
		}
		set.Visit(func(f *flag.Flag) { i.given[f.Name] = true })
		return c.run(context.WithValue(ctx, warningsOf{}, i), i)
	}
	return usageError("there is no command %q: see sessionkit -h", printable(args[0]))
}

// counts says how many arguments a command takes.
func (c command) counts() string {
	switch {
	case c.maxArgs == 0:
		return "no arguments"
	case c.minArgs == 0:
		return "at most one argument"
	}
	return "one argument, " + c.args
}

func (i *invocation) flagSet(c command) *flag.FlagSet {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, name := range c.flags {
		flags[name](set, i)
	}
	return set
}

// parse reads flags before, between and after arguments, and returns the arguments. What follows "--" is an argument.
func parse(set *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		left := set.Args()
		if read := args[:len(args)-len(left)]; len(left) == 0 || len(read) > 0 && read[len(read)-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// warningsOf is the key of the invocation in a context.
type warningsOf struct{}

// printWarnings makes what the kit logs a warning of the command for which it is logged: of Store.Migrate, above all.
func printWarnings() { slog.SetDefault(slog.New(warningHandler{slog.DiscardHandler})) }

type warningHandler struct{ slog.Handler }

// Enabled implements slog.Handler.
func (warningHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle implements slog.Handler.
func (warningHandler) Handle(ctx context.Context, r slog.Record) error {
	i, ok := ctx.Value(warningsOf{}).(*invocation)
	if ok && !slices.Contains(i.warnings, r.Message) { // migrate runs the same checks twice
		i.warnings = append(i.warnings, r.Message)
		fmt.Fprintf(i.err, "warning: %s\n", printableLines(r.Message))
	}
	return nil
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "sessionkit lists and ends sessions, prepares the database, and changes keys.\n\n")
	rows := [][]string{}
	for _, c := range commands() {
		rows = append(rows, []string{"  " + strings.TrimSpace(c.name+" "+c.args), c.summary})
	}
	printTable(w, rows)
	fmt.Fprint(w, `
sessionkit COMMAND -h shows the flags of a command.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 the database is unavailable,
5 unfinished: run the same command again.
`)
}

func (c command) printHelp(w io.Writer, set *flag.FlagSet) {
	fmt.Fprintf(w, "sessionkit %s", c.name)
	for _, part := range []string{c.args, strings.Repeat("[flags]", min(1, len(c.flags)))} {
		if part != "" {
			fmt.Fprint(w, " "+part)
		}
	}
	fmt.Fprintf(w, "\n\n%s\n", c.summary)
	if len(c.flags) > 0 {
		var text bytes.Buffer
		set.SetOutput(&text)
		set.PrintDefaults()
		fmt.Fprintf(w, "\n%s", &text)
	}
}

// confirm asks whether to do what cannot be undone. Without a terminal nobody can answer, and -yes is needed.
func (i *invocation) confirm(what string) error {
	if i.yes {
		return nil
	}
	if !i.terminal {
		return usageError("this %s: pass -yes, because nobody can answer a question here", what)
	}
	fmt.Fprintf(i.err, "This %s. Type yes to do it: ", printable(what))
	answer, err := bufio.NewReader(i.in).ReadString('\n')
	if err != nil && answer == "" { // /dev/null looks like a terminal
		fmt.Fprintln(i.err)
		return usageError("this %s: pass -yes, because nobody has answered", what)
	}
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was done: the answer was not yes")
	}
	return nil
}
