// Package skins tests that an app behaves the same behind each guard: one suite of
// behaviours runs on an app in each framework, on MySQL, SQLite and PostgreSQL. A new skin is a
// file with the app, and a line in the list of skins.
package skins
