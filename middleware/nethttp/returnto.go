package nethttp

import (
	"net/http"
	"net/url"
	"strings"
)

// maxPath bounds the length of a return path in URLs and headers, in bytes.
const maxPath = 2048

// isSafePath reports whether a browser, a proxy and this program all resolve p to a path
// on this host. It accepts printable ASCII without \ only: browsers ignore tabs and line
// breaks, treat \ as /, and treat the text after // as a host.
func isSafePath(p string) bool {
	if p == "" || len(p) > maxPath || p[0] != '/' || strings.HasPrefix(p, "//") {
		return false
	}
	for i := range len(p) {
		if p[i] <= ' ' || p[i] >= 0x7f || p[i] == '\\' {
			return false
		}
	}
	u, err := url.Parse(p)
	if err != nil {
		return false
	}
	// Proxies decode a path before they clean it, so the decoded path must be safe, too.
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

// isGoodNext reports whether a user may be sent to p after a login: to a safe path of this
// app, but not to the login or the logout.
func (c *Core) isGoodNext(p string) bool {
	if !isSafePath(p) {
		return false
	}
	path, _, _ := strings.Cut(p, "?")
	path, _, _ = strings.Cut(path, "#")
	decoded, err := url.PathUnescape(path)
	return err == nil && within(path, c.cfg.Prefix) && within(decoded, c.cfg.Prefix) && !within(decoded, c.cfg.Prefix+c.cfg.LoginPath) && !within(decoded, c.cfg.Prefix+c.cfg.LogoutPath)
}

func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// ReturnTo returns the form or query value "next" if it is a path of this app and neither
// the login nor the logout, else fallback, as it is: with a Prefix, write "/app/". It checks
// the path on each use, because any client can set it.
func (c *Core) ReturnTo(r *http.Request, fallback string) string {
	if next := r.FormValue("next"); c.isGoodNext(next) {
		return next
	}
	return fallback
}

// comeBack returns the page to show after the login, or "".
func (c *Core) comeBack(r *http.Request, who *client) string {
	next := who.back(c, r)
	if next == c.cfg.Prefix+"/" || !c.isGoodNext(next) {
		return ""
	}
	return next
}

// maxNext bounds what next adds to the header that sends a client to the login page, in
// bytes: proxies refuse an answer whose header is too long.
const maxNext = 2048

// requestedPage returns the requested page, or the page whose form was sent. The URL of a
// method other than GET and HEAD is not used: the browser returns with a GET.
func requestedPage(c *Core, r *http.Request) string {
	if isRead(r) {
		return c.cfg.Prefix + r.URL.RequestURI()
	}
	return referringPage(c, r)
}

// currentPage returns the page in which htmx swaps a part, or which it replaces by the
// target of a boosted link.
func currentPage(c *Core, r *http.Request) string {
	if r.Header.Get("HX-Boosted") == "true" && isRead(r) {
		return requestedPage(c, r)
	}
	return ownPath(r, r.Header.Get("HX-Current-URL"))
}

// referringPage returns the page in which a library swaps a part.
func referringPage(_ *Core, r *http.Request) string { return ownPath(r, r.Referer()) }

// ownPath returns the path and query of a URL on this host, else "".
func ownPath(r *http.Request, raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host != r.Host {
		return ""
	}
	return u.RequestURI()
}
