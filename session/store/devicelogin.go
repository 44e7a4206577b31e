package store

import (
	"context"
	"time"
)

// A DeviceLogin is the login of a device that cannot show a login page, such as a command
// line (RFC 8628): from the moment the device asks for it until it ends, a few minutes later.
// The user approves it in a browser, by a short code that the device shows.
//
// All times come from the store's clock and have a resolution of one microsecond.
type DeviceLogin struct {
	ID        ID     // of the session that begins when the user approves
	UserCode  Digest // of the code that the user enters
	Confirmed Digest // see NewSession
	Live      Digest // see NewSession
	Client    string // see Facts
	UserAgent string // of the device, at most 255 bytes of valid UTF-8
	IP        string // of the device, at most 45 bytes, may be empty
	Network   string // whose logins are counted together, at most 45 bytes: the address, or the first half of it

	CreatedAt time.Time
	EndsAt    time.Time
	PolledAt  time.Time     // when the device last asked for the user's decision; zero: never
	Interval  time.Duration // the shortest time between two of its questions
	Decision  Decision
}

// Decision is what the user has said about a DeviceLogin. It is stored as text.
type Decision string

// The decisions. Each but the first is final.
const (
	Undecided Decision = ""
	Approved  Decision = "approved"
	Denied    Decision = "denied"
)

// RetainDeviceLogin is how long the row of a DeviceLogin is kept after its end, so that a
// device that asks a little late is told that its time is over.
const RetainDeviceLogin = time.Minute

// NewDeviceLogin holds what DeviceLogins.CreateDeviceLogin needs to know.
type NewDeviceLogin struct {
	ID        ID
	UserCode  Digest
	Confirmed Digest
	Live      Digest
	Client    string
	UserAgent string
	IP        string
	Network   string
	Lifetime  time.Duration // until EndsAt
	Interval  time.Duration
}

// DeviceLogins is a Store that also keeps the logins of devices. It is optional: without it
// session.Tokens refuses them. What Store says of its methods holds for these, too.
//
// A login has ended from its EndsAt on. It is still found then, and its UserCode is still
// taken, until PruneDeviceLogins removes it. No other method changes it.
type DeviceLogins interface {
	// CreateDeviceLogin adds a login that is undecided and was never polled. It reports
	// whether the login is there. It adds nothing and reports false if another one has the
	// same UserCode, or if limit logins of the same Network that have not ended are there.
	// When one with the same ID exists already, it is left as it is.
	//
	// Of calls at the same time with one UserCode at most one reports true. Those with one
	// Network may not see each other: then there are more than limit, but at most one more
	// for each of these calls.
	CreateDeviceLogin(ctx context.Context, d NewDeviceLogin, limit int) (bool, error)

	// FindDeviceLogin reads a login and the clock in one statement. A login that does not
	// exist is not an error: the result is nil.
	FindDeviceLogin(ctx context.Context, id ID) (now time.Time, d *DeviceLogin, err error)

	// FindUserCode reads the login with a UserCode as FindDeviceLogin does.
	FindUserCode(ctx context.Context, code Digest) (now time.Time, d *DeviceLogin, err error)

	// RecordPoll sets PolledAt to now, and Interval, of a login that has not ended. It does
	// so only if PolledAt equals last. If last is now, because the clock is coarse, PolledAt
	// becomes a microsecond more: it always changes. RecordPoll reports whether it did so;
	// false means a lost race or a repetition.
	RecordPoll(ctx context.Context, id ID, last time.Time, interval time.Duration) (bool, error)

	// DecideDeviceLogin sets the Decision of a login that is undecided and has not ended. It
	// reports whether it did; false means a lost race or a repetition. To decide Undecided
	// does nothing.
	DecideDeviceLogin(ctx context.Context, id ID, decision Decision) (bool, error)

	// PruneDeviceLogins removes at most limit logins that ended more than
	// RetainDeviceLogin ago. It returns what Prune returns.
	PruneDeviceLogins(ctx context.Context, limit int) (int, error)
}
