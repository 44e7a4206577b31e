package main

import (
	"strings"
	"testing"
)

// Whatever a client sends as cookies, the server answers at once, without an error of
// its own and without a statement.
func TestNoCookieHeaderIsTooMuch(t *testing.T) {
	captureLog(t)
	a, server := testServer(t)
	w := wire{t, server.Listener.Addr().String()}
	good, another := w.cookiesAfterLogin(ada, adaPassword), w.cookiesAfterLogin(grace, gracePassword)
	access, refresh, _ := strings.Cut(good, "; ")

	const (
		in, out, tooLarge, malformed = 200, 303, 431, 400
	)
	lines := func(cookies ...string) string {
		var b strings.Builder
		for _, c := range cookies {
			b.WriteString("Cookie: " + c + "\r\n")
		}
		return b.String()
	}
	asked := 0
	for _, c := range []struct {
		name, header string
		want         int
	}{
		{"good", lines(good), in},
		{"in two headers", lines(access, refresh), in},
		{"in two headers, the other way", lines(refresh, access), in},
		{"the same twice", lines(good, good), in},
		{"garbage before", lines("sessionkit-session=x; sessionkit-refresh-0=y", good), in},
		{"garbage in the other refresh cookie", lines("sessionkit-refresh-1=y; " + good), in},
		{"garbage after", lines(good, "sessionkit-session=x; sessionkit-refresh-0=y"), in},
		{"another's in a second header", lines(good, another), out},
		{"another's in a first header", lines(another, good), out},
		{"another's in one header", lines(good + "; " + another), out},
		{"five copies", lines(strings.TrimSuffix(strings.Repeat(good+"; ", 5), "; ")), in},
		{"five different", lines("sessionkit-session=1; sessionkit-session=2; sessionkit-session=3; sessionkit-session=4; sessionkit-refresh-0=1; sessionkit-refresh-0=2; sessionkit-refresh-0=3; sessionkit-refresh-0=4; " + good), out},
		{"five different of the other refresh cookie", lines("sessionkit-session=1; sessionkit-refresh-1=1; sessionkit-refresh-1=2; sessionkit-refresh-1=3; sessionkit-refresh-1=4; sessionkit-refresh-1=5; " + refresh), out},
		{"quoted", lines(strings.Replace(access, "=", `="`, 1) + `"; ` + refresh), in},
		{"3,000 others", lines(strings.Repeat("a=b; ", 2998) + good), in},
		{"3,001 others, after which no cookie is read", lines(strings.Repeat("a=b; ", 3001) + good), out},
		{"1,000 of one name", lines(strings.Repeat("sessionkit-session=b; ", 1000)), out},
		{"3,001 in as many headers", strings.Repeat("Cookie: a=b\r\n", 2200) + lines(good), in},
		{"8 KiB", lines("sessionkit-session=" + strings.Repeat("A", 8<<10)), out},
		{"16 KiB", lines("sessionkit-session=" + strings.Repeat("MTIz", 4<<10)), out},
		{"31 KiB", lines("sessionkit-refresh-0=" + strings.Repeat("A", 31<<10)), out},
		{"64 KiB", lines("sessionkit-session=" + strings.Repeat("A", 64<<10)), tooLarge},
		{"64 KiB beside good ones", lines(good, "x="+strings.Repeat("A", 64<<10)), tooLarge},
		{"1 MiB", lines("sessionkit-session=" + strings.Repeat("A", 1<<20)), tooLarge},
		{"1 MiB in small ones", strings.Repeat("Cookie: sessionkit-session=AAAAAAAAAAAAAAAAAAAAAAAA\r\n", 25_000), tooLarge},
		{"1 MiB and 4 KiB", lines("sessionkit-session=" + strings.Repeat("A", 1<<20+4<<10)), tooLarge},
		{"nothing", lines(""), out},
		{"semicolons", lines(strings.Repeat(";", 10_000)), out},
		{"equals signs", lines(strings.Repeat("=", 10_000)), out},
		{"names alone", lines("sessionkit-session; sessionkit-refresh-0; sessionkit-refresh-1"), out},
		{"no names", lines("=sessionkit-session; =sessionkit-refresh-0; =sessionkit-refresh-1"), out},
		{"a comma", lines(access + ", " + refresh), out},
		{"$Version", lines(`$Version=1; x="y; ` + good + `; z="`), in},
		{"spaces", lines("  " + access + "  ;\t " + refresh + " "), in},
		{"8-bit bytes", lines("sessionkit-session=\x80\xff; sessionkit-refresh-0=\xfe"), out},
		{"a NUL", lines("sessionkit-session=\x00"), malformed},
		{"a bare CR", lines("sessionkit-session=a\rb"), malformed},
		{"a folded line", "Cookie: sessionkit-session=a\r\n b; sessionkit-refresh-0=c\r\n", out},
		{"a control character", lines("sessionkit-session=\x01; sessionkit-refresh-0=\x7f"), malformed},
	} {
		for _, path := range []string{"/api/session", "/"} {
			asked++
			before := a.statements.Load()
			status, header := w.ask("GET " + path + " HTTP/1.1\r\nHost: " + w.addr + "\r\nConnection: close\r\n" + asPage + c.header + "\r\n")
			want := c.want
			if path == "/" && want == out {
				want = 200 // the page for visitors
			}
			if status != want || len(of(header, "Set-Cookie")) != 0 {
				t.Errorf("%s, %s: %d, %d cookies set; want %d, none", c.name, path, status, len(of(header, "Set-Cookie")), want)
			}
			if n := a.statements.Load() - before; n != 0 {
				t.Errorf("%s, %s: %d statements; want 0", c.name, path, n)
			}
		}
	}
	t.Logf("%d Cookie headers: 0 answers of 500 or more, 0 statements, 0 cookies set", asked)
}
