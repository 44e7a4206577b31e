// Package look has what the pages of both apps look like: the style sheet, the icon, and the
// script that shows times in the browser's time zone.
package look

import (
	"embed"
	"io/fs"
)

//go:embed static
var files embed.FS

// Static holds the files, by their names.
var Static = func() fs.FS {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err)
	}
	return static
}()
