package main

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/mileusna/useragent"
)

// deviceName says in words what a User-Agent header does: "Chrome 156 on Linux".
// Whoever sends one can write anything into it, so it is for recognizing one's
// own devices, and for nothing else.
func deviceName(header string) string {
	ua := useragent.Parse(header)
	name, system := ua.Name, ua.OS
	if !strings.ContainsFunc(name, unicode.IsLetter) {
		name = ""
	}
	if ua.IsIOS() && ua.Device != "" {
		system = ua.Device // iPhone, iPad: what it says on the thing itself
	}
	switch {
	case name == "" && system == "":
		return "Unknown device"
	case name == "":
		return "Unknown browser on " + system
	}
	if ua.VersionNo.Major > 0 {
		name += " " + strconv.Itoa(ua.VersionNo.Major)
	}
	name = shorten(50, name)
	if system != "" {
		name += " on " + shorten(30, system)
	}
	return name
}
