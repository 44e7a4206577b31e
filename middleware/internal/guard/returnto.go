package guard

import (
	"net/http"
	"net/url"
	"strings"
)

// maxPath bounds what a return path adds to URLs and headers.
const maxPath = 2048

// SafePath reports whether p is a path on this host and nothing else, in every
// reading that a browser, a proxy or this program may give it. It says what is
// good, and refuses the rest: browsers drop tabs and line breaks, take \ for /,
// and read what follows // as a host.
func SafePath(p string) bool {
	if p == "" || len(p) > maxPath || p[0] != '/' || strings.HasPrefix(p, "//") {
		return false
	}
	for i := range len(p) {
		if p[i] <= ' ' || p[i] >= 0x7f || p[i] == '\\' {
			return false
		}
	}
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	// The decoded path, too: proxies decode, and then clean up.
	if strings.Contains(u.Path, "//") || strings.ContainsFunc(u.Path, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }) {
		return false
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// goodNext reports whether a user may be sent to p after a login: not back to
// the login, and not into a logout.
func (g *Guard) goodNext(p string) bool {
	if !SafePath(p) {
		return false
	}
	path, _, _ := strings.Cut(p, "?")
	path, _, _ = strings.Cut(path, "#")
	decoded, err := url.PathUnescape(path)
	return err == nil && !within(decoded, g.cfg.LoginPath) && !within(decoded, g.cfg.LogoutPath)
}

func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// ReturnTo returns the path in the request's form or query value "next" if it is
// a good one, else fallback. It is judged here, when it is used, whoever wrote it.
func (g *Guard) ReturnTo(r *http.Request, fallback string) string {
	if next := r.FormValue("next"); g.goodNext(next) {
		return next
	}
	return fallback
}

// comeBack returns the page to show after the login, or "": the one that was
// asked for, or the one whose form was sent or whose part was to be swapped.
// Another method's own URL never becomes one: coming back is a GET.
func (g *Guard) comeBack(r *http.Request, c client) string {
	next := ""
	switch {
	case c == htmx:
		next = ownPath(r, r.Header.Get("HX-Current-URL"))
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		next = r.URL.RequestURI()
	default:
		next = ownPath(r, r.Referer())
	}
	if next == "/" || !g.goodNext(next) {
		return ""
	}
	return next
}

// ownPath returns the path and query of a URL that is this host's, else "".
func ownPath(r *http.Request, raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host != r.Host {
		return ""
	}
	return u.RequestURI()
}
