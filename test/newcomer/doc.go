// Package newcomer does what docs/quickstart.md tells a newcomer to do, in empty folders:
// it pastes the programs, runs the commands with the modules as users get them, starts
// each program, logs in, refreshes and logs out.
package newcomer
