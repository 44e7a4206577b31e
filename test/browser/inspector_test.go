package browser

import (
	"regexp"
	"slices"
	"testing"
)

var clockText = regexp.MustCompile(`^\d+:\d\d:\d\d$`)

func TestInspector(t *testing.T) {
	t.Parallel()
	t.Run("it counts the cookies down until they expire", func(t *testing.T) {
		b := newDevice(t, startApp(t, "-tls", "-access-ttl", "3s"))
		b.Open("/login")
		b.login(ada)
		b.isAt("/")
		clocks := func() []string {
			return eval[[]string](b, `[...document.querySelectorAll('[data-end]')].map(e => e.textContent)`)
		}
		first := clocks()
		if len(first) != 3 || !clockText.MatchString(first[1]) || !clockText.MatchString(first[2]) {
			b.Fatalf("the clocks show %q", first)
		}
		b.Until("the access cookie has expired, and the others have not", func() bool {
			now := clocks()
			return now[0] == "expired" && now[1] < first[1] && now[2] < first[2]
		})
		if times := eval[[]string](b, `[...document.querySelectorAll('main time')].map(e => e.textContent)`); slices.Contains(times, "Invalid Date") {
			b.Fatalf("the times are %q", times)
		}
	})
}
