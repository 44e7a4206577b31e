package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

//go:embed static
var staticFiles embed.FS

// asset is a file under /static. Its hash is part of its URL, so browsers may
// keep it for ever: a changed file is another one.
type asset struct {
	content []byte
	hash    string
}

var assets = func() map[string]asset {
	found := make(map[string]asset)
	err := fs.WalkDir(staticFiles, "static", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := staticFiles.ReadFile(path)
		sum := sha256.Sum256(content)
		found[entry.Name()] = asset{content, hex.EncodeToString(sum[:8])}
		return err
	})
	if err != nil {
		panic(err) // embedded files cannot fail to be there
	}
	return found
}()

// assetURL is for templates. A misspelt name is found by the first rendering.
func assetURL(name string) (string, error) {
	a, ok := assets[name]
	if !ok {
		return "", fmt.Errorf("no file static/%s", name)
	}
	return "/static/" + name + "?v=" + a.hash, nil
}

func static(c echo.Context) error {
	name := c.Param("file")
	a, ok := assets[name]
	if !ok {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set("ETag", `"`+a.hash+`"`)
	h.Set(echo.HeaderCacheControl, "no-cache") // ask each time; mostly a 304
	if c.QueryParam("v") == a.hash {
		h.Set(echo.HeaderCacheControl, "public, max-age=31536000, immutable")
	}
	http.ServeContent(c.Response(), c.Request(), name, time.Time{}, bytes.NewReader(a.content))
	return nil
}
