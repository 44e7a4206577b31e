package main

import (
	"errors"
	"net/http"

	"github.com/sessionkit/sessionkit/session"
)

// deviceForm is what the page of a device's code shows.
type deviceForm struct {
	Code, Error string
	Client      string                 // for people
	Found       *session.DeviceRequest // nil: the user has yet to enter a code
}

// device asks for the code that a device shows (RFC 8628, section 3.3), and then shows who
// waits with it. A device that shows a link, or a QR code, has put the code into the query.
func (a *app) device(w http.ResponseWriter, r *http.Request) error {
	form := deviceForm{Code: r.FormValue("user_code")}
	if form.Code == "" {
		return render(w, r, http.StatusOK, "device", "Connect a device", form)
	}
	found, err := a.tokens.FindDevice(r, form.Code)
	if err != nil {
		return codeError(w, r, form, err)
	}
	form.Found, form.Client = &found, a.clients[found.Client].name
	return render(w, r, http.StatusOK, "device", "Connect this device?", form)
}

// decide takes the user's answer. A device that is approved acts as the user, so the epoch is
// read again: a password that was changed meanwhile refuses it.
func (a *app) decide(w http.ResponseWriter, r *http.Request) error {
	form := deviceForm{Code: r.FormValue("user_code")}
	switch r.FormValue("decision") {
	case "yes":
		u, err := a.users.byID(r.Context(), current(r).UserID)
		if err == nil {
			err = a.tokens.ApproveDevice(r, form.Code, session.Login{UserID: u.id, Epoch: u.epoch})
		}
		if err != nil {
			return codeError(w, r, form, err)
		}
		return redirect(w, r, "/device", "approved")
	case "no":
		if err := a.tokens.DenyDevice(r, form.Code); err != nil {
			return codeError(w, r, form, err)
		}
		return redirect(w, r, "/device", "denied")
	default:
		http.Error(w, "The form has no decision.", http.StatusBadRequest)
		return nil
	}
}

// codeError shows the form again, for an error that the user can do something about.
func codeError(w http.ResponseWriter, r *http.Request, form deviceForm, err error) error {
	status := http.StatusNotFound
	switch {
	case errors.Is(err, session.ErrNotFound):
		form.Error = "No device waits with this code. It may be misspelt, used, or older than ten minutes: look at the device again."
	case errors.Is(err, session.ErrSlowDown):
		status, form.Error = http.StatusTooManyRequests, "You have entered too many wrong codes. Wait a minute, then try again."
		w.Header().Set("Retry-After", "60")
	case errors.Is(err, session.ErrStoreUnavailable):
		status, form.Error = http.StatusServiceUnavailable, "The database does not answer. Wait a few seconds, then enter the code again. You stay logged in."
		w.Header().Set("Retry-After", "5")
	default:
		return err
	}
	return render(w, r, status, "device", "Connect a device", form)
}
