// Package report shows what the tests of a package have seen.
package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Print prints a text. The go command hides what a package prints that passes among others,
// so make test sets SESSIONKIT_REPORTS to a folder: there Print adds the text to a file of
// this name, too. make test-mysql adds to what make test has reported.
func Print(name, text string) error {
	fmt.Print(text)
	folder := os.Getenv("SESSIONKIT_REPORTS")
	if folder == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
