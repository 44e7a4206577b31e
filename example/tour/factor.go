package main

import (
	"context"
	"database/sql"
	"errors"
	"html/template"
	"image/png"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// The second factor is a code of six digits that an authenticator app shows, for 30 seconds
// each (TOTP, RFC 6238).

const (
	period   = 30 // seconds
	maxTries = 5  // in a row, and then a minute of nothing
	wait     = 60 // seconds
)

var (
	errWrongCode    = errors.New("this is not a code of this moment, or it was used before")
	errTooManyCodes = errors.New("too many wrong codes")
)

type factors struct{ db database }

// find returns what the user's authenticator app has, or nil. Until the user has confirmed it by
// a code, it proves nothing.
func (t factors) find(ctx context.Context, userID string) (key *otp.Key, confirmed bool, err error) {
	var uri string
	err = t.db.one(ctx, `SELECT uri, confirmed FROM factors WHERE user_id = ?`, []any{number(userID)}, &uri, &confirmed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	key, err = otp.NewKeyFromURL(uri)
	return key, confirmed, err
}

// renew makes a secret for a user who has confirmed none. It replaces one that was shown before:
// who saw it then may not be who confirms it.
func (t factors) renew(ctx context.Context, userID, email string) (key *otp.Key, err error) {
	key, err = totp.Generate(totp.GenerateOpts{Issuer: "sessionkit tour", AccountName: email})
	if err != nil {
		return nil, err
	}
	if err := t.db.add(ctx, "factors", "user_id", `(user_id, uri) VALUES (?, ?)`, number(userID), key.URL()); err != nil {
		return nil, err
	}
	_, err = t.db.change(ctx, `UPDATE factors SET uri = ? WHERE user_id = ? AND confirmed = FALSE`, key.URL(), number(userID))
	return key, err
}

// accept judges a code, and accepts each once. A try counts before the code is compared:
// otherwise requests that come at once would have more of them. The period before and the next
// one count, too, because clocks differ.
func (t factors) accept(ctx context.Context, userID string, key *otp.Key, code string) error {
	now := time.Now().Unix()
	counted, err := t.db.change(ctx, `UPDATE factors SET tries = CASE WHEN tries < ? THEN tries ELSE 0 END + 1, last_try = ? WHERE user_id = ? AND (tries < ? OR last_try <= ?)`,
		maxTries, now, number(userID), maxTries, now-wait)
	if err != nil {
		return err
	}
	if !counted {
		return errTooManyCodes
	}
	for step := now/period - 1; step <= now/period+1; step++ {
		if !hotp.Validate(code, uint64(step), key.Secret()) {
			continue
		}
		accepted, err := t.db.change(ctx, `UPDATE factors SET confirmed = TRUE, last_step = ?, tries = 0 WHERE user_id = ? AND uri = ? AND last_step < ?`, step, number(userID), key.URL(), step)
		if err != nil || accepted {
			return err
		}
	}
	return errWrongCode
}

// factorForm is what the page of the second factor shows.
type factorForm struct {
	Next, Error string
	Secret      string // empty: the user has an authenticator app, and enters a code of it
	URL         template.URL
}

// formFor shows the secret before the first code only.
func formFor(key *otp.Key, first bool, next string) factorForm {
	if !first {
		return factorForm{Next: next}
	}
	return factorForm{Next: next, Secret: key.Secret(), URL: template.URL(key.URL())} // made by package totp
}

func (f factorForm) title() string {
	if f.Secret != "" {
		return "Set up a second factor"
	}
	return "Enter a code"
}

// wantsFactor reports whether RequireMethod has sent the user to the login page.
func wantsFactor(r *http.Request) bool {
	return current(r).UserID != "" && slices.Contains(strings.Split(r.FormValue("method"), ","), "otp")
}

// factor asks for a code, or leads to setupFactor.
func (a *app) factor(w http.ResponseWriter, r *http.Request) error {
	key, confirmed, err := a.factors.find(r.Context(), current(r).UserID)
	if err != nil {
		return err
	}
	next := a.guard.ReturnTo(r, "/vault")
	if !confirmed {
		http.Redirect(w, r, "/factor/new?"+field("next", next), http.StatusSeeOther)
		return nil
	}
	form := formFor(key, false, next)
	return render(w, r, http.StatusOK, "factor", form.title(), form)
}

// setupFactor shows a new secret.
func (a *app) setupFactor(w http.ResponseWriter, r *http.Request) error {
	s, next := current(r), a.guard.ReturnTo(r, "/vault")
	_, confirmed, err := a.factors.find(r.Context(), s.UserID)
	if err != nil {
		return err
	}
	if confirmed { // who has lost it needs an administrator
		http.Redirect(w, r, "/factor?"+field("next", next), http.StatusSeeOther)
		return nil
	}
	key, err := a.factors.renew(r.Context(), s.UserID, s.Attrs["email"])
	if err != nil {
		return err
	}
	form := formFor(key, true, next)
	return render(w, r, http.StatusOK, "factor", form.title(), form)
}

// factorImage is the QR code of setupFactor.
func (a *app) factorImage(w http.ResponseWriter, r *http.Request) error {
	key, confirmed, err := a.factors.find(r.Context(), current(r).UserID)
	if err != nil {
		return err
	}
	if key == nil || confirmed {
		http.NotFound(w, r)
		return nil
	}
	image, err := key.Image(240, 240)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/png")
	_ = png.Encode(w, image) // the browser is gone
	return nil
}

// enterCode returns the handler for a code: for the first one, which confirms the secret, or for
// those that follow. A code begins a new session, which has the method "otp": a copy of the
// cookies from before is worth nothing.
func (a *app) enterCode(first bool) pageFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		userID, next := current(r).UserID, a.guard.ReturnTo(r, "/vault")
		key, confirmed, err := a.factors.find(r.Context(), userID)
		if err != nil {
			return err
		}
		if key == nil || confirmed == first { // another tab was faster
			http.Redirect(w, r, "/factor?"+field("next", next), http.StatusSeeOther)
			return nil
		}
		err = a.factors.accept(r.Context(), userID, key, strings.ReplaceAll(r.FormValue("code"), " ", ""))
		status, form := http.StatusUnprocessableEntity, formFor(key, first, next)
		switch {
		case errors.Is(err, errWrongCode):
			form.Error = "This code is wrong, or was used before. Wait until your app shows the next one."
		case errors.Is(err, errTooManyCodes):
			status, form.Error = http.StatusTooManyRequests, "You have entered too many wrong codes. Wait a minute, then try again."
			w.Header().Set("Retry-After", strconv.Itoa(wait))
		case err != nil:
			return err
		default:
			if err := a.guard.StepUp(w, r, "otp"); err != nil {
				return err
			}
			http.Redirect(w, r, next, http.StatusSeeOther)
			return nil
		}
		return render(w, r, status, "factor", form.title(), form)
	}
}

// vault is a page behind the second factor.
func (a *app) vault(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, "vault", "Vault", nil)
}

// notForActors refuses an impersonation: an administrator does not prove who the user is, and
// must not use up the user's tries. RequireRecentLogin and RequireMethod refuse it, too.
func notForActors(show pageFunc) pageFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if current(r).Actor != "" {
			http.Error(w, "Only the users themselves can prove who they are.", http.StatusForbidden)
			return nil
		}
		return show(w, r)
	}
}
