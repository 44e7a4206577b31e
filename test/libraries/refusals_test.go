package libraries

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/test/internal/chromiumtest"
)

// person is somebody in front of a tab.
type person struct {
	*chromiumtest.Tab
	site *site
	way  way
}

// newPerson opens a tab, and logs in.
func newPerson(t *testing.T, w way) *person {
	t.Helper()
	s := startSite(t)
	p := &person{Tab: chromiumtest.NewDevice(t, s.url, nil), site: s, way: w}
	p.logIn()
	if with, ok := strings.CutPrefix(w.name, "worker-"); ok {
		chromiumtest.Eval[any](p.Tab, fmt.Sprintf(`navigator.serviceWorker.register('/sw.js?with=%s').then(() => navigator.serviceWorker.ready).then(() => null)`, with))
	}
	return p
}

func (p *person) logIn() {
	p.Helper()
	p.Open("/login")
	p.submitLogin("/shown")
}

// submitLogin sends the form of the login page, and waits until the tab shows a page.
func (p *person) submitLogin(path string) {
	p.Helper()
	p.Click("#submit")
	p.Until("after the login the tab shows "+path, func() bool {
		at, err := chromiumtest.TryEval[string](p.Tab, `document.readyState + ' ' + location.href`)
		return err == nil && at == "complete "+p.URL+path
	})
}

// startPath is the page from which the person sends a request to a path.
func (p *person) startPath(path string) string {
	return "/start/" + p.way.name + "?" + query("path", path, "user", "ada")
}

// hover moves the mouse over #go.
func (p *person) hover() {
	p.Helper()
	at := chromiumtest.Eval[[]float64](p.Tab, `(r => [r.x + r.width / 2, r.y + r.height / 2])(document.getElementById('go').getBoundingClientRect())`)
	chromiumtest.Call(p.Tab, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: "mouseMoved", X: at[0], Y: at[1]})
}

// What the tab shows.
const (
	login   = "the login page"
	done    = "what they wanted"
	nothing = "no change"
	broken  = "no page"
)

// sees returns what the tab shows: one of the constants, or the heading of an error page.
func (p *person) sees() string {
	shown, err := chromiumtest.TryEval[map[string]string](p.Tab, `({
		state: document.readyState, path: location.pathname,
		heading: document.querySelector('h1')?.textContent ?? '', headings: String(document.querySelectorAll('h1').length),
		text: document.body?.innerText ?? '', out: document.getElementById('out')?.textContent ?? '',
		form: document.getElementById('login') ? 'yes' : '',
	})`)
	switch {
	case err != nil || shown["state"] != "complete":
		return broken
	case shown["headings"] != "1":
		return shown["headings"] + " headings: " + shown["text"]
	case shown["path"] == "/login" && shown["form"] != "" && shown["heading"] == "Log in":
		return login
	case shown["out"] == "Done by ada":
		return done
	case shown["heading"] == "Start" && shown["out"] == "Nothing yet":
		return nothing
	case shown["heading"] == "Start":
		return "a changed page: " + shown["text"]
	default:
		return shown["heading"]
	}
}

// comesToSee waits until the tab shows this.
func (p *person) comesToSee(what string) {
	p.Helper()
	end := time.Now().Add(chromiumtest.Patience)
	for got := p.sees(); got != what; got = p.sees() {
		if time.Now().After(end) {
			p.Fatalf("the person sees %q; want %q", got, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sawNoChange waits until the request is answered, and then a moment.
func (p *person) sawNoChange(methodAndPath string, before int) {
	p.Helper()
	p.Until("the request is answered", func() bool { return p.site.requests(methodAndPath) > before })
	time.Sleep(300 * time.Millisecond)
	if got := p.sees(); got != nothing {
		p.Fatalf("the person sees %q; want %q", got, nothing)
	}
}

// method returns the method of the way's request.
func (w way) method() string {
	if w.login {
		return "POST"
	}
	return "GET"
}

// goesOn sends the request again until it succeeds, as somebody who reads "try again" does.
func (p *person) goesOn(start string) {
	p.Helper()
	p.Until("the same click works", func() bool {
		switch p.sees() {
		case done:
			return true
		case login:
			p.Fatalf("the person is logged out")
		case nothing:
			p.Click("#go")
		default:
			if _, err := p.Visit(start); err != nil {
				return false // the page is about to change
			}
			p.Click("#go")
		}
		for end := time.Now().Add(time.Second); p.sees() != done && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
		return p.sees() == done
	})
}

// backAt returns the page on which the person stands after the login.
func (p *person) backAt(target, start string) string {
	if p.way.target {
		return target
	}
	return start
}

// A person whose request needs a login comes to the login page, and from there back to where
// they wanted to go. Any other refusal shows its text as a page, or changes nothing. It never
// logs anybody out, and it shows no JSON and no page within a page.
func TestRefusals(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, w)
			errorPage := func(heading string) string {
				if w.nothing {
					return nothing
				}
				return heading
			}
			refused := func(refusal, path, want string) (start string) {
				t.Helper()
				start = p.startPath(path)
				p.Open(start)
				if path == "/do/live" {
					p.site.storeIsDown()
				}
				request, _, _ := strings.Cut(w.method()+" "+path, "?")
				before := p.site.requests(request)
				p.Click("#go")
				if want == nothing {
					p.sawNoChange(request, before)
				} else {
					p.comesToSee(want)
				}
				return start
			}
			admitted := func(refusal, path, start string) {
				t.Helper()
				p.submitLogin(p.backAt(path, start))
				back := "the page they were on"
				if w.target {
					back = "the link's target"
					p.comesToSee(done)
				} else {
					p.goesOn(start)
				}
				seen.add(w.name, refusal, login+", then "+back)
			}

			start := p.startPath("/do/account?a=b")
			p.Open(start)
			p.site.revoke()
			p.Click("#go")
			p.comesToSee(login)
			admitted("not logged in", "/do/account?a=b", start)

			p.site.age()
			start = refused("login too old", "/do/recent?a=b", login)
			admitted("login too old", "/do/recent?a=b", start)

			want := errorPage("Forbidden")
			refused("wrong role", "/do/admin", want)
			seen.add(w.name, "wrong role", want)

			want = errorPage("Service Unavailable")
			start = refused("store down", "/do/live", want)
			p.site.storeIsUp()
			p.goesOn(start)
			seen.add(w.name, "store down", want+", and it works later")

			if w.login {
				p.site.users.SetUser("banned", store.User{Disabled: true})
				want = errorPage("Forbidden")
				p.Open("/start/" + w.name + "?" + query("path", "/login/"+w.name, "user", "banned"))
				before := p.site.requests("POST /login/" + w.name)
				p.Click("#go")
				if want == nothing {
					p.sawNoChange("POST /login/"+w.name, before)
				} else {
					p.comesToSee(want)
				}
				seen.add(w.name, "Issue refused", want)

				p.Open("/start/" + w.name + "?" + query("path", "/login/"+w.name, "user", "ada"))
				p.Click("#go")
				p.comesToSee(done)
				seen.add(w.name, "login", "the page after the login")
			}
		})
	}
}
