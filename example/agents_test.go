package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDevicesAreNamedInWords(t *testing.T) {
	const mozilla = "Mozilla/5.0 "
	for header, want := range map[string]string{
		mozilla + "(X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":                                          "Chrome 156 on Linux",
		mozilla + "(X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36":                                  "Headless Chrome 156 on Linux",
		mozilla + "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":                                "Chrome 156 on Windows",
		mozilla + "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0":                  "Edge 156 on Windows",
		mozilla + "(Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36":                                "Chrome 156 on Android",
		mozilla + "(Linux; Android 14; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36": "Samsung Browser 28 on Android",
		mozilla + "(iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1":        "Safari 26 on iPhone",
		mozilla + "(iPad; CPU OS 16_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1":              "Chrome 140 on iPad",
		mozilla + "(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                          "Safari 18 on macOS",
		mozilla + "(Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0":                                                           "Firefox 145 on macOS",
		mozilla + "(X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":                                 "Chrome 156 on ChromeOS",
		"curl/8.14.1":            "curl 8",
		"Go-http-client/1.1":     "Go-http-client 1",
		"python-requests/2.32.4": "python-requests 2",
		"":                       "Unknown device",
		"   ":                    "Unknown device",
		"()":                     "Unknown device",
		"(Linux)":                "(Linux) on Linux",
	} {
		if got := deviceName(header); got != want {
			t.Errorf("%q is called %q; want %q", header, got, want)
		}
	}
}

// Anybody can send anything, and it is on a page that somebody else may read.
func FuzzDeviceNamesAreShort(f *testing.F) {
	for _, header := range []string{"curl/8.14.1", "Mozilla/5.0 (iPhone; x/y)", "(", ")", "a/b/c", "/", strings.Repeat("x", 300), "\xff/1", "X/99999999999999999999"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		name := deviceName(header)
		if n := utf8.RuneCountInString(name); n == 0 || n > 90 {
			t.Errorf("%q is called %q, of %d characters", header, name, n)
		}
	})
}
