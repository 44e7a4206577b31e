package proxy

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// files are those that are uploaded, and how often. Without the reading of refused bodies,
// most uploads of 5 MB fail, through nginx, and over HTTP/1.1 without it. The longest ones
// take seconds. See full.
var files = []struct {
	size    int64
	repeats int
}{{200 << 10, 2}, {5 << 20, 3}, {20 << 20, 1}}

func fileOf(size int64) string { return filepath.Join(uploads, fmt.Sprint(size)) }

func writeUploads() error {
	for _, f := range files {
		if err := os.WriteFile(fileOf(f.size), make([]byte, f.size), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// A browser that uploads a file after its session has ended sees the login page. Each
// upload is a race between the answer and the rest of the file, so it is repeated.
func TestUpload(t *testing.T) {
	type way struct {
		name  string
		login shown
		start func(t *testing.T) (a *app, base string)
	}
	const login, next = "200 Log in at /login", "?next=%2Fupload"
	direct := func(http2 bool) func(t *testing.T) (*app, string) {
		return func(t *testing.T) (*app, string) {
			a := newApp(t, "")
			return a, a.serveTLS(http2)
		}
	}
	ways := []way{{"no proxy, HTTP/1.1", login + next, direct(false)}, {"no proxy, HTTP/2", login + next, direct(true)}}
	for _, s := range setups(t) {
		switch {
		case !s.upload:
		case s.hostIsLost:
			ways = append(ways, way{s.name, login, s.start})
		default:
			ways = append(ways, way{s.name, login + next, s.start})
		}
	}
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			a, base := w.start(t)
			b := newTab(t, base)
			send := func(size int64, ended bool) shown {
				if at := b.open("/upload"); at != "200 Upload at /upload" {
					b.mustShow("a protected page", at, login+next)
					b.mustShow("the login", b.press("#login"), "200 Upload at /upload")
				}
				b.choose(fileOf(size))
				if ended {
					a.endSessions()
				}
				return b.press("#send")
			}
			b.mustShow("an upload in a session", send(5<<20, false), "200 Received 5 MB at /upload")
			for _, f := range files {
				if *full {
					f.repeats = 6
				}
				counts := map[shown]int{}
				for range f.repeats {
					counts[send(f.size, true)]++
				}
				seen.add("upload", w.name, fmt.Sprintf("%d KB", f.size>>10), fmt.Sprint(counts))
				if counts[w.login] != f.repeats {
					t.Errorf("%d KB after the end of the session: the browser shows %v; want %q each time", f.size>>10, counts, w.login)
				}
			}
		})
	}
}

// By default nginx itself refuses an upload of more than 1 MB.
func TestUpload_DefaultOfNginxIsOneMegabyte(t *testing.T) {
	t.Parallel()
	s := setups(t)[0]
	s.lines = without(s.lines, "client_max_body_size")
	_, base := s.start(t)
	b := newTab(t, base)
	b.open("/upload")
	b.mustShow("the login", b.press("#login"), "200 Upload at /upload")
	b.choose(fileOf(5 << 20))
	b.mustShow("the upload", b.press("#send"), "413 413 Request Entity Too Large at /upload")
}
