package libraries

import (
	"net/url"
	"testing"
)

// htmx requests a page of the history again when the user goes back. A person who is logged
// out meanwhile comes to the login page, and from there to the page of the history.
func TestHistoryRestore(t *testing.T) {
	for _, library := range []string{"htmx 2", "htmx 4"} {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, way{library: library})
			pages := "/pages/" + url.PathEscape(library)
			p.Open(pages + "/1")
			p.Click("#next")
			p.Until("the second page is shown", func() bool { return p.Path() == pages+"/2" })
			p.site.revoke()
			p.Back()
			p.comesToSee(login)
			p.submitLogin(pages + "/1")
			seen.add(library+" history", "not logged in", login+", then the page of the history")
		})
	}
}
