package middleware_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

// jar keeps cookies as RFC 6265bis has browsers do (sections 5.6 and 5.7), read
// anew: https://app.test is the only place it visits.
type jar map[string]jarred

type jarred struct {
	value   string
	expires time.Time // zero: with the browser's session
}

// store takes a Set-Cookie line, or says why a browser would not.
func (j jar) store(line string, now time.Time) error {
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return errors.New("it has a control character")
	}
	pair, attributes, _ := strings.Cut(line, ";")
	name, value, ok := strings.Cut(pair, "=")
	name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
	if !ok || name == "" || len(name)+len(value) > 4096 {
		return errors.New("it has no name, or is too long")
	}
	has := map[string]string{}
	for attribute := range strings.SplitSeq(attributes, ";") {
		attribute, val, _ := strings.Cut(attribute, "=")
		if len(val) <= 1024 {
			has[strings.ToLower(strings.Trim(attribute, " \t"))] = strings.Trim(val, " \t")
		}
	}
	_, secure := has["secure"]
	_, httpOnly := has["httponly"]
	domain, path := has["domain"], has["path"]
	if domain != "" && domain != "app.test" && domain != ".app.test" {
		return errors.New("it is another host's")
	}
	switch prefix := strings.ToLower(name); {
	case strings.HasPrefix(prefix, "__host-"):
		if !secure || domain != "" || path != "/" {
			return errors.New("__Host- asks for Secure, Path=/ and no Domain")
		}
		if strings.HasPrefix(prefix, "__host-http-") && !httpOnly {
			return errors.New("__Host-Http- asks for HttpOnly")
		}
	case strings.HasPrefix(prefix, "__secure-") && !secure:
		return errors.New("__Secure- asks for Secure")
	}
	c := jarred{value: value}
	if age, err := strconv.Atoi(has["max-age"]); err == nil {
		c.expires = now.Add(min(time.Duration(age)*time.Second, 400*24*time.Hour))
		if age <= 0 {
			delete(j, name)
			return nil
		}
	}
	j[name] = c
	return nil
}

// at is what the jar would send.
func (j jar) at(now time.Time) map[string]string {
	sent := map[string]string{}
	for name, c := range j {
		if (c.expires.IsZero() || now.Before(c.expires)) && c.value != "" {
			sent[name] = c.value
		}
	}
	return sent
}

func TestTheJarRefusesWhatBrowsersDo(t *testing.T) {
	for line, stored := range map[string]bool{
		"a=b":                            true,
		"a=b; Domain=app.test":           true,
		"a=b; Domain=evil.test":          false,
		"=b":                             false,
		"a=" + strings.Repeat("x", 4096): false,
		"a=b\x01":                        false,
		"__Secure-a=b":                   false,
		"__Secure-a=b; Secure":           true,
		"__Host-a=b; Secure; Path=/":     true,
		"__Host-a=b; Secure":             false,
		"__Host-a=b; Path=/":             false,
		"__Host-a=b; Secure; Path=/x":    false,
		"__host-a=b; Path=/":             false,
		"__Host-a=b; Secure; Path=/; Domain=app.test": false,
		"__Host-Http-a=b; Secure; Path=/":             false,
		"__Host-Http-a=b; Secure; Path=/; HttpOnly":   true,
	} {
		if err := (jar{}).store(line, time.Now()); (err == nil) != stored {
			t.Errorf("%.80s: %v", line, err)
		}
	}
}
