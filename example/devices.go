package main

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/sessionkit/sessionkit/session"
)

// device is one session of the user's.
type device struct {
	session.Info
	Name    string // the browser and the system, in words
	Current bool
}

func (a *app) devices(c echo.Context) error {
	s := current(c)
	list, err := a.sessions.List(c.Request().Context(), s.UserID)
	if err != nil {
		return unavailable(err)
	}
	devices := make([]device, 0, len(list))
	for _, info := range list {
		devices = append(devices, device{info, deviceName(info.UserAgent), info.ID == s.ID})
	}
	return render(c, http.StatusOK, "devices", "Devices", struct {
		Devices []device
		Others  bool
	}{devices, len(devices) > 1})
}

func (a *app) revokeDevice(c echo.Context) error {
	err := a.sessions.Revoke(c.Request().Context(), current(c).UserID, c.FormValue("id"))
	if errors.Is(err, session.ErrNotFound) {
		return redirectDone(c, "/devices", "device-gone")
	}
	if err != nil {
		return unavailable(err)
	}
	return redirectDone(c, "/devices", "device")
}

func (a *app) revokeOtherDevices(c echo.Context) error {
	s := current(c)
	if err := a.sessions.RevokeUser(c.Request().Context(), s.UserID, s.ID); err != nil {
		return unavailable(err)
	}
	return redirectDone(c, "/devices", "others")
}
