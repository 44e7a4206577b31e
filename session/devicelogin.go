package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/session/store"
)

// The login of a device that cannot show a login page (RFC 8628). The device gets a code of
// its own and a short one for the user, who enters it in a browser and approves.
//
// The device code is sealed, and the root of the session is in it. So no statement is made for
// a code that the kit has not given out, the database has no secret, and the device gets its
// first tokens again if their answer is lost. What the device holds is never written down: the
// row of the login has digests, with which the session begins when the user approves.

const (
	// deviceLife is how long the user has to approve.
	deviceLife = 10 * time.Minute

	// fetchLife is how much longer the device has to fetch its tokens.
	fetchLife = store.RetainDeviceLogin

	// pollInterval is the shortest time between two questions of a device, at first. Each
	// that comes sooner adds as much (RFC 8628, section 3.5), up to maxPollInterval.
	pollInterval    = 5 * time.Second
	maxPollInterval = time.Minute

	// pollTolerance is how much sooner a question may come: it may have been faster on its
	// way than the one before.
	pollTolerance = time.Second

	// maxPolls is how many questions of one device a node asks the store about in a second. Some
	// clients send each question twice, without and with their id in a header.
	maxPolls = 2

	// maxDeviceLogins is how many logins of one network may wait for their users: an
	// office or a classroom, and no more.
	maxDeviceLogins = 50

	// maxBegun is how many logins of one customer, who may have many networks, a node lets
	// begin in deviceLife. Beyond it a refusal costs no statement.
	maxBegun = 250

	// maxWrongCodes is how many wrong user codes of one user a node looks up in a minute.
	maxWrongCodes = 10
)

// What a device is told while it waits. Package session/token makes them the errors of RFC
// 8628, section 3.5.
var (
	// ErrPending says that the user has not decided yet: ask again after the interval.
	ErrPending = errors.New("session: the user has not approved the device yet")

	// ErrSlowDown says that a device, or a user who guesses codes, asks too often. A device
	// must wait for 5 seconds more each time from now on.
	ErrSlowDown = errors.New("session: too many questions: wait longer before the next one")

	// ErrDenied says that the user has refused the device.
	ErrDenied = errors.New("session: the user has refused the device")

	// ErrExpired says that the device's code has expired: it must begin again.
	ErrExpired = errors.New("session: the code of the device has expired")
)

// errNoDeviceLogins is the fault of a store.
var errNoDeviceLogins = errors.New("session: the store keeps no logins of devices: it must implement store.DeviceLogins, as sqlstore does")

// DeviceCodes are what a device gets when it asks for a login. DeviceCode is a secret.
type DeviceCodes struct {
	DeviceCode string
	UserCode   string // eight letters with a hyphen between them; ApproveDevice accepts it without, and in small letters
	ExpiresIn  time.Duration
	Interval   time.Duration // the shortest time between two calls of PollDevice
}

// Format prints [redacted], whatever the verb.
func (DeviceCodes) Format(f fmt.State, _ rune) { f.Write([]byte(redacted)) }

// MarshalText returns [redacted].
func (DeviceCodes) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// DeviceRequest is what a user should see before they approve a device. Whoever sent the user
// the code may have started the device: it need not be the user's own (RFC 8628, section 5.4).
type DeviceRequest struct {
	UserCode  string // as the device shows it, to be compared
	Client    string // as the app knows it
	IP        string // of the device
	UserAgent string // as the device gave it
	CreatedAt time.Time
	ExpiresAt time.Time
}

// BeginDevice begins the login of a device of the client's, which the caller has
// authenticated. The device shows the user code and calls PollDevice until the user has called
// ApproveDevice or DenyDevice, for 10 minutes at most.
//
// An error that Is ErrSlowDown says that 50 devices of this network began in the last 10
// minutes: of an IPv4 address (see Config.ClientIP), or of the first 64 bits of an IPv6 address.
// Of addresses that MaskIP has shortened, 256 neighbours or a customer's whole network share the
// 50; if ClientIP returns nothing, all the world does, and any stranger can use them up.
// Logins that begin at the same moment may exceed the limit.
// ErrStoreUnavailable says that the store gave no answer. Any other error is a fault of the
// client's name, of the store or of the configuration.
func (ts Tokens) BeginDevice(r *http.Request, client string) (DeviceCodes, error) {
	m := ts.m
	if !ts.Enabled() {
		return DeviceCodes{}, errNoTokens
	}
	if client == "" {
		return DeviceCodes{}, errors.New("session: BeginDevice: the client is empty: name it")
	}
	if err := m.factFaults(Login{Client: client}); err != nil {
		return DeviceCodes{}, err
	}
	m.checkSetup(r)
	ip, agent := m.events.client(r)
	if !m.begun.allow(networkOf(ip, 48)) {
		return DeviceCodes{}, ErrSlowDown
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	now, err := c.now()
	if err != nil {
		return DeviceCodes{}, err
	}
	d := deviceTicket{root: random16(), id: random16(), client: client, issued: stamp(now), expires: stamp(now.Add(deviceLife))}
	first := d.first()
	n := store.NewDeviceLogin{
		ID: first.sessionID(), Confirmed: first.digest(), Live: first.live().digest(),
		Client: client, UserAgent: agent, IP: ip, Network: networkOf(ip, 64),
		Lifetime: deviceLife, Interval: pollInterval,
	}
	code := newUserCode()
	n.UserCode = digestOfUserCode(code)
	done, err := c.createDeviceLogin(n, maxDeviceLogins)
	switch {
	case err != nil:
		return DeviceCodes{}, err
	case !done: // or the code is another device's, by a chance of one in millions
		return DeviceCodes{}, ErrSlowDown
	}
	sealed, err := m.tickets.sealers.Load().device.seal(deviceCode, &d)
	return DeviceCodes{devicePrefix + sealed, withHyphen(code), deviceLife, pollInterval}, err
}

// PollDevice returns the tokens of a device, once the user has approved it. Until then the
// error Is ErrPending, or ErrSlowDown; after a refusal ErrDenied, and after 10 minutes
// ErrExpired. ErrUnauthenticated says that the code is another client's, or none, or that the
// session has ended already.
//
// A device whose answer was lost may call it again, until it has presented the refresh token of
// a refresh. From then on, and until the code expires, whoever presents the code ends the
// session: somebody has copied it.
func (ts Tokens) PollDevice(r *http.Request, client, code string) (Grant, error) {
	m := ts.m
	if !ts.Enabled() {
		return Grant{}, errNoTokens
	}
	var d deviceTicket
	sealed, ok := strings.CutPrefix(code, devicePrefix)
	switch {
	case !ok || !m.tickets.sealers.Load().device.open(deviceCode, sealed, &d):
		return Grant{}, unauthenticated("no key opens the device code")
	case d.client != client:
		return Grant{}, errOtherClient
	case m.store.isLongPast(d.expires):
		return Grant{}, ErrExpired
	}
	t := d.first()
	if !m.polls.allow(t.sessionID()) {
		return Grant{}, ErrSlowDown
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	if err := m.approved(c, t.sessionID()); err != nil {
		return Grant{}, err
	}
	o, _, err := m.ask(c, t)
	if o.class == classMissing && errors.Is(err, ErrUnauthenticated) { // an approved login has a session: this database node lags
		return Grant{}, unavailable(errDelayed)
	}
	if err != nil {
		return Grant{}, err
	}
	now := o.snap.Now
	t.issued, t.expires = stamp(now), stamp(now.Add(m.cfg.idle(t, o.snap.Record.IdleTimeout)))
	first := &t
	if o.class == classStraggler { // the device has a newer one
		first = nil
	}
	g, err := m.tickets.grant(c, o.snap, t, first)
	if err == nil && !m.revoker.isCurrent(o.snap.Record) {
		return Grant{}, c.reportUnavailable(errStale)
	}
	return g, err
}

// approved returns nil if the user has approved a device, else what the device is told.
func (m *Manager) approved(c *call, id store.ID) error {
	now, d, err := c.findDeviceLogin(id)
	switch {
	case err != nil:
		return err
	case d == nil:
		return ErrExpired
	case d.Decision == store.Denied:
		return ErrDenied
	case d.Decision == store.Approved && now.Before(d.EndsAt.Add(fetchLife)):
		return nil
	case !now.Before(d.EndsAt):
		return ErrExpired
	}
	interval, answer := d.Interval, ErrPending
	if !d.PolledAt.IsZero() && now.Sub(d.PolledAt) < d.Interval-pollTolerance {
		if answer = ErrSlowDown; interval >= maxPollInterval {
			return answer // a device that never waits costs no more writes
		}
		interval += pollInterval
	}
	recorded, err := c.recordPoll(id, d.PolledAt, interval)
	switch {
	case err != nil:
		return err
	case !recorded: // another question came at the same time
		return ErrSlowDown
	default:
		return answer
	}
}

// FindDevice returns the device that waits with a user code, for the page on which the user
// approves it. The request's session is that of the user, behind a guard.
//
// An error that Is ErrNotFound says that no device waits with this code: it is wrong, or has
// expired, or was used. ErrSlowDown says that the user has tried ten wrong codes within a
// minute. ErrUnauthenticated says that the request has no session. ErrUserDisabled says that
// its session is an impersonation, or a program's.
func (ts Tokens) FindDevice(r *http.Request, userCode string) (DeviceRequest, error) {
	m := ts.m
	if !ts.Enabled() {
		return DeviceRequest{}, errNoTokens
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	d, _, err := m.findUserCode(c, userCode)
	if err != nil {
		return DeviceRequest{}, err
	}
	code, _ := parseUserCode(userCode)
	return DeviceRequest{UserCode: withHyphen(code), Client: d.Client, IP: d.IP, UserAgent: d.UserAgent, CreatedAt: d.CreatedAt, ExpiresAt: d.EndsAt}, nil
}

// ApproveDevice logs the device in that waits with a user code: it begins a session for the
// user of login, and the device gets its tokens from PollDevice. It must be the user of the
// request's session, who has seen what FindDevice returns and said yes. The request must carry
// the refresh cookie of its session, as for RequireLive: the device outlives that session. Let
// the route require a recent login. AuthTime is that of the request's session, and Client is
// the device's, whatever login says.
//
// The errors are those of FindDevice and of Manager.Issue. After ErrStoreUnavailable the device
// may be approved or not: call it again. ErrNotFound may then mean that it was.
func (ts Tokens) ApproveDevice(r *http.Request, userCode string, login Login) (err error) {
	m := ts.m
	if !ts.Enabled() {
		return errNoTokens
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	d, seen, err := m.findUserCode(c, userCode)
	switch {
	case err != nil:
		return err
	case login.UserID != seen.UserID:
		return errors.New("session: ApproveDevice: Login.UserID is not the user of the request's session")
	}
	// What begins here outlives the request's session. A copied access cookie is not enough.
	t, ok := m.tickets.refreshOf(r, seen.id)
	if !ok {
		return unauthenticated("the request has no refresh cookie of its session")
	}
	if _, err := m.requireLive(c, Verdict{ticket: seen}, t); err != nil {
		return err
	}
	login.Client, login.AuthTime = d.Client, seen.AuthTime
	if err := m.factFaults(login); err != nil {
		return err
	}
	defer c.observe(OperationLogin, &err)()
	n := m.newSession(r, refreshTicket{client: d.Client}, login)
	n.ID, n.Confirmed, n.Live = d.ID, d.Confirmed, d.Live
	n.UserAgent, n.IP = d.UserAgent, d.IP
	// The session first: a device that is approved must find it.
	snap, err := c.create(n)
	switch {
	case err != nil:
		return err
	case snap.Record.UserID != login.UserID, isOver(snap): // another user has approved it, or this one has ended it again
		return ErrNotFound
	}
	if _, err := m.tickets.grant(c, snap, refreshTicket{client: d.Client}, nil); err != nil { // does the user fit into a token?
		m.revoker.revokeSurely(c, []named{nameOf(snap.Record)}, store.ReasonReplaced)
		return err
	}
	done, err := c.decideDeviceLogin(d.ID, store.Approved)
	switch {
	case err != nil:
		return err
	case !done:
		// An earlier try whose answer was lost may have done it.
		if _, d, err = c.findDeviceLogin(d.ID); err != nil {
			return err
		}
		if d == nil || d.Decision != store.Approved { // refused meanwhile, or expired
			m.revoker.revokeSurely(c, []named{nameOf(snap.Record)}, store.ReasonRevoked)
			return ErrNotFound
		}
	}
	m.began(c, snap, login)
	return nil
}

// DenyDevice refuses the device that waits with a user code. The errors are those of
// FindDevice.
func (ts Tokens) DenyDevice(r *http.Request, userCode string) error {
	m := ts.m
	if !ts.Enabled() {
		return errNoTokens
	}
	c := m.store.begin(r.Context(), r)
	defer c.end()
	d, _, err := m.findUserCode(c, userCode)
	if err != nil {
		return err
	}
	done, err := c.decideDeviceLogin(d.ID, store.Denied)
	if err == nil && done { // an approval that failed half-way may have begun its session
		err = m.revoker.revokeSurely(c, []named{{id: d.ID}}, store.ReasonRevoked)
	}
	return err
}

// findUserCode returns the login that waits with a user code, and the access ticket of the
// user who has entered it. A user cannot try many codes: one of them would be that of somebody
// else's device, which would then act as this user.
func (m *Manager) findUserCode(c *call, userCode string) (*store.DeviceLogin, *accessTicket, error) {
	seen, ok := m.seen(c.r)
	if !ok {
		return nil, nil, unauthenticated("no session has admitted the request")
	}
	if seen.Client != "" {
		return nil, nil, fmt.Errorf("%w: a program cannot approve a device, which would outlive its own tokens", ErrUserDisabled)
	}
	if seen.Actor != "" {
		return nil, nil, errImpersonated
	}
	code, ok := parseUserCode(userCode)
	if !ok {
		return nil, nil, ErrNotFound
	}
	if !m.wrongCodes.allow(seen.UserID) { // before the question: many may be asked at once
		return nil, nil, ErrSlowDown
	}
	now, d, err := c.findUserCode(digestOfUserCode(code))
	if err != nil {
		m.wrongCodes.giveBack(seen.UserID) // nobody knows whether the code is wrong
		return nil, nil, err
	}
	if d == nil || d.Decision != store.Undecided || !now.Before(d.EndsAt) {
		return nil, nil, ErrNotFound
	}
	m.wrongCodes.giveBack(seen.UserID)
	return d, seen, nil
}

// deviceTicket is the content of a device code: the first refresh ticket of the session that
// begins when the user approves, as far as it is known before.
type deviceTicket struct {
	root, id        [16]byte
	client          string
	issued, expires time.Time // of the code
}

// first returns the refresh ticket. It is as old as the code, and lives as long.
func (d deviceTicket) first() refreshTicket {
	return refreshTicket{root: d.root, id: d.id, client: d.client, issued: d.issued, expires: d.expires.Add(fetchLife)}
}

func (d *deviceTicket) appendTo(b []byte) []byte {
	b = append(b, deviceV1)
	b = append(b, d.root[:]...)
	b = append(b, d.id[:]...)
	b = appendIssued(b, d.issued)
	b = appendSpan(b, d.issued, d.expires)
	return append(b, d.client...)
}

func (d *deviceTicket) parse(b []byte) error {
	r := newReader(b, deviceV1)
	r.bytes(d.root[:])
	r.bytes(d.id[:])
	d.issued = r.issued()
	d.expires = d.issued.Add(r.span())
	d.client = string(r.take(len(r.b)))
	return r.end()
}

// networkOf returns whose logins are counted together: an IPv4 address, or the first bits of an
// IPv6 address. 64 of them are one network, and 48 what one customer may have.
func networkOf(ip string, bits int) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		prefix, _ := addr.Prefix(bits)
		return prefix.String()
	}
	return addr.String()
}
