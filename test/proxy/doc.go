// Package proxy tests the kit behind a real nginx, with a real Chromium in front. The
// tests read the lines of nginx's configuration from the page that recommends them,
// docs/proxies.md, and fail if the page says something else than the browser sees.
//
//	go test -C test/proxy
//
// prints what the browser saw. With -full each upload is repeated six times.
package proxy
