// Package browser tests the example in headless Chromium: the tests start it with short
// lifetimes, type and click.
package browser
