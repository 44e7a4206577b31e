package oidc

import (
	"cmp"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// person is somebody with a browser, who logs in with a name wherever a provider asks for one.
type person struct {
	*testing.T
	name   string
	jar    *sessiontest.Jar
	client http.Client

	// rewrite changes a request before the browser sends it; nil: none.
	rewrite func(*http.Request)

	// hold names the path before whose request the browser stops; empty: none.
	hold string

	asked int      // how often a provider has asked for the name
	trail []string // the addresses of all requests, with the method in front of all but GET
}

func newPerson(t *testing.T, name string) *person {
	p := &person{T: t, name: name, jar: &sessiontest.Jar{}}
	// Redirects are followed by send, which writes them down.
	p.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

// page is what the browser shows.
type page struct {
	url    *url.URL
	status int
	header http.Header
	body   string
	forms  []*form
}

// form is a form of a page.
type form struct {
	id, method, action string
	fields             url.Values
	texts              []string          // names of the inputs that the user fills
	buttons            map[string]string // by text, names and values as name=value; empty: none
}

// open types an address, and returns the page to which it leads.
func (p *person) open(address string) page {
	p.Helper()
	return p.send(http.MethodGet, address, nil, "none")
}

// submit presses a button of the page's only form, after it has filled the inputs. An empty
// button is one without a name.
func (p *person) submit(on page, button string, fill url.Values) page {
	p.Helper()
	if len(on.forms) != 1 {
		p.Fatalf("%s has %d forms; want one: %d %s", on.url, len(on.forms), on.status, on.body)
	}
	f := on.forms[0]
	values := url.Values{}
	for name, v := range f.fields {
		values[name] = v
	}
	for name, v := range fill {
		values[name] = v
	}
	if pair, ok := f.buttons[button]; ok && pair != "" {
		name, value, _ := strings.Cut(pair, "=")
		values.Set(name, value)
	} else if !ok && button != "" {
		p.Fatalf("%s has the buttons %v; want %q", on.url, f.buttons, button)
	}
	to, err := on.url.Parse(f.action)
	if err != nil {
		p.Fatal(err)
	}
	site := "same-origin"
	if to.Host != on.url.Host {
		site = "cross-site"
	}
	if f.method == http.MethodGet {
		to.RawQuery = values.Encode()
		return p.send(http.MethodGet, to.String(), nil, site)
	}
	return p.send(f.method, to.String(), values, site)
}

// logIn opens an address, and gives the name to the provider if it asks for it.
func (p *person) logIn(address string) page {
	p.Helper()
	return p.answer(p.open(address))
}

// answer gives the name to a provider that asks for it.
func (p *person) answer(on page) page {
	p.Helper()
	for len(on.forms) == 1 && on.forms[0].id == "login" {
		p.asked++
		on = p.submit(on, "", url.Values{"name": {p.name}})
	}
	return on
}

// send sends a request, and follows redirects.
func (p *person) send(method, address string, values url.Values, site string) page {
	p.Helper()
	var origin string
	for range 20 {
		r, err := http.NewRequestWithContext(p.Context(), method, address, strings.NewReader(values.Encode()))
		if err != nil {
			p.Fatal(err)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
		}
		// A redirect that has left the origin makes all that follow it cross-site.
		if origin != "" && origin != r.URL.Host {
			site = "cross-site"
		}
		origin = r.URL.Host
		r.Header.Set("Sec-Fetch-Site", site)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
		r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
		if p.rewrite != nil {
			p.rewrite(r)
		}
		if p.hold != "" && r.URL.Path == p.hold {
			return page{url: r.URL}
		}
		for _, c := range p.jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		p.trail = append(p.trail, strings.TrimPrefix(method+" ", "GET ")+r.URL.String())
		answer, err := p.client.Do(r)
		if err != nil {
			p.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			p.Fatal(err)
		}
		p.jar.SetCookies(r.URL, answer.Cookies())
		location := answer.Header.Get("Location")
		if answer.StatusCode/100 != 3 || location == "" {
			return page{r.URL, answer.StatusCode, answer.Header, string(body), formsOf(p.T, string(body))}
		}
		next, err := r.URL.Parse(location)
		if err != nil {
			p.Fatal(err)
		}
		address = next.String()
		if answer.StatusCode != http.StatusTemporaryRedirect && answer.StatusCode != http.StatusPermanentRedirect {
			method, values = http.MethodGet, nil
		}
	}
	p.Fatalf("too many redirects: %q", p.trail[len(p.trail)-20:])
	panic("unreachable")
}

// formsOf returns the forms of a page.
func formsOf(t *testing.T, body string) (forms []*form) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var inside *form
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		at := func(key string) string {
			for _, a := range n.Attr {
				if a.Key == key {
					return a.Val
				}
			}
			return ""
		}
		of := inside
		for _, f := range forms {
			if id := at("form"); id != "" && f.id == id {
				of = f
			}
		}
		switch {
		case n.DataAtom == atom.Form:
			inside = &form{id: at("id"), method: cmp.Or(strings.ToUpper(at("method")), http.MethodGet), action: at("action"), fields: url.Values{}, buttons: map[string]string{}}
			forms = append(forms, inside)
		case of == nil:
		case n.DataAtom == atom.Input && at("type") == "hidden":
			of.fields.Add(at("name"), at("value"))
		case n.DataAtom == atom.Input:
			of.texts = append(of.texts, at("name"))
		case n.DataAtom == atom.Button:
			var text string
			for c := range n.Descendants() {
				text += c.Data
			}
			of.buttons[text] = ""
			if name := at("name"); name != "" {
				of.buttons[text] = name + "=" + at("value")
			}
		}
	}
	return forms
}
