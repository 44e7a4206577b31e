package browser

import (
	_ "embed"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// audit is a script that lists the faults of the current page.
//
//go:embed testdata/audit.js
var audit string

func TestPagesAreForEverybody(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	nobody, hers, admin := newDevice(t, app), newDevice(t, app), newDevice(t, app)
	hers.loginAt("/devices", ada)
	admin.loginAt("/admin", grace)

	for _, c := range []struct {
		name  string
		tab   *tab
		reach func(b *tab)
	}{
		{"the welcome", nobody, func(b *tab) { b.Open("/") }},
		{"the login", nobody, func(b *tab) { b.Open("/login?next=%2Fdevices") }},
		{"a failed login", nobody, func(b *tab) { b.Open("/login"); b.login(user{"eve@example.com", "wrong"}) }},
		{"the inspector", hers, func(b *tab) { b.Open("/") }},
		{"the devices", admin, func(b *tab) { b.Open("/devices") }},
		{"the account", hers, func(b *tab) { b.Open("/account") }},
		{"a password that is too short", hers, func(b *tab) {
			b.Open("/account")
			eval[any](b, `document.querySelectorAll('input').forEach(i => i.removeAttribute('minlength')), null`)
			b.Fill("#current", ada.password)
			b.Fill("#new", "short")
			b.Press(`form[action="/account/password"] button`)
		}},
		{"the repeated login", hers, func(b *tab) { b.Open("/login?reauth=1&next=%2Faccount") }},
		{"the users", admin, func(b *tab) { b.Open("/admin") }},
		{"a banned user", admin, func(b *tab) {
			b.Open("/admin")
			b.unfoldAndPress(`form[action="/admin/ban"]`)
			b.isAt("/admin?done=banned")
		}},
		{"a page that does not exist", admin, func(b *tab) { b.Open("/nowhere") }},
		{"a page that she may not see", nobody, func(b *tab) {
			admin.Open("/admin")
			admin.Press(`button[aria-label^="Lift the ban of Ada"]`)
			b.loginAt("/devices", ada)
			b.Open("/admin")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.tab.in(t)
			c.reach(b)
			for _, look := range []struct {
				width  int64
				scheme string
			}{{1280, "light"}, {390, "dark"}, {320, "light"}, {1280, "dark"}} {
				b.lookAs(look.width, look.scheme)
				for _, problem := range eval[[]string](b, audit) {
					b.Errorf("%d pixels wide, %s: %s", look.width, look.scheme, problem)
				}
			}
			b.tabThrough()
		})
	}
}

// in returns the tab with the t of a subtest, so that failures belong to it.
func (b *tab) in(t *testing.T) *tab { return &tab{Tab: b.In(t), app: b.app} }

// lookAs sets the width of the window and the color scheme.
func (b *tab) lookAs(width int64, scheme string) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	b.Until(fmt.Sprintf("the page is %d pixels wide, and %s", width, scheme), func() bool {
		return eval[bool](b, fmt.Sprintf(`innerWidth == %d && matchMedia('(prefers-color-scheme: %s)').matches && document.getAnimations().length == 0`, width, scheme))
	})
}

// tabThrough presses Tab until each control has had the focus, and checks that the focus
// is visible.
func (b *tab) tabThrough() {
	b.Helper()
	eval[any](b, `globalThis.unseen = new Set([...document.querySelectorAll('a[href], button, input:not([type=hidden])')]
		.filter(e => e.tabIndex >= 0 && e.checkVisibility())), document.activeElement.blur(), null`)
	stops := eval[int](b, `unseen.size`)
	for range 2*stops + 4 {
		ctx, cancel := b.Limited()
		err := chromedp.Do(ctx, chromedp.KeyEvent(kb.Tab))
		cancel()
		if err != nil {
			b.Fatalf("pressing Tab: %v", err)
		}
		problem := eval[string](b, `(e => {
			if (!unseen.delete(e)) return '';
			const name = e.outerHTML.slice(0, 80), style = getComputedStyle(e), box = e.getBoundingClientRect();
			if (style.outlineStyle == 'none' || parseFloat(style.outlineWidth) < 2) return 'the focus does not show on ' + name;
			if (box.right <= 0 || box.bottom <= 0 || box.left >= innerWidth || box.top >= innerHeight) return 'the focus is out of sight on ' + name;
			return '';
		})(document.activeElement)`)
		if problem != "" {
			b.Errorf("%s", problem)
		}
		if eval[int](b, `unseen.size`) == 0 {
			return
		}
	}
	b.Errorf("Tab does not reach %s", eval[string](b, `[...unseen].map(e => e.outerHTML.slice(0, 80)).join(', ')`))
}
