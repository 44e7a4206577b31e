// Package browser holds a browser's day: tests that start the example as its
// users do, with short lifetimes, and type and click in headless Chromium.
package browser
