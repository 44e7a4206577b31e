package nethttp

import (
	"net/http"
	"strings"
)

// families and platforms hold what a user agent contains, and what it stands for. The first
// entry that is found counts: Edge says that it is Chrome, and Chrome that it is Safari.
var (
	families = [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"},
		{"Safari/", "Safari"},
	}
	platforms = [][2]string{
		{"Windows", "Windows"}, {"iPhone", "iOS"}, {"iPad", "iOS"}, {"Android", "Android"},
		{"CrOS", "ChromeOS"}, {"Macintosh", "macOS"}, {"Linux", "Linux"},
	}
)

// maxFamily is how many bytes of an unknown client's name count.
const maxFamily = 64

// BrowserFamily returns the browser and the platform of a request, such as "Chrome on
// Windows", by its user agent. An update of the browser does not change it. It is for
// session.Config.Fingerprint, and for a list of devices. Another client is called what its
// user agent begins with, in front of the version. A request without a user agent gives the
// empty text.
func BrowserFamily(r *http.Request) string {
	agent := r.UserAgent()
	family, platform := first(families, agent), first(platforms, agent)
	switch {
	case family == "":
		name, _, _ := strings.Cut(agent, "/")
		return name[:min(len(name), maxFamily)]
	case platform == "":
		return family
	default:
		return family + " on " + platform
	}
}

func first(names [][2]string, agent string) string {
	for _, n := range names {
		if strings.Contains(agent, n[0]) {
			return n[1]
		}
	}
	return ""
}
