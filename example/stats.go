package main

import "github.com/sessionkit/sessionkit/session"

// told is a count of the session manager's, in an operator's words.
type told struct {
	What    string
	Meaning string
	Count   uint64
}

type eventWords struct {
	kind          session.EventKind
	what, meaning string
}

// The first are as many as there are users at work. The second deserve a look,
// and in an app of your own an alarm.
var (
	usualEvents = []eventWords{
		{session.EventIssued, "Logins", "Programs that send a password with each request count each time."},
		{session.EventRefreshed, "Renewals", "An access cookie had run out, and the row was asked."},
		{session.EventStraggler, "Late requests", "Under way while their cookies were renewed, and served."},
		{session.EventOldKey, "Cookies under an old key", "The key is being changed. When they have ceased, the old key may go."},
		{session.EventRevoked, "Sessions ended", "Logged out, or ended from another device. Bans and forced logouts of a whole user are not counted one by one."},
		{session.EventEnded, "Knocks on closed doors", "Requests from sessions that are over. Many at once mean that people are being logged out."},
	}
	unusualEvents = []eventWords{
		{session.EventReuse, "Copied cookies caught", "A refresh cookie was used twice: a theft, or a browser profile that was copied. The session was ended."},
		{session.EventStoreTrouble, "Database trouble", "It gave no clear answer. Nobody was logged out by it."},
		{session.EventStoreDown, "Outages of the database", "It did not answer at all. What needed it was refused at once until it did; the rest went on."},
		{session.EventStoreBack, "Ends of outages", "The database answers again."},
		{session.EventUndecodable, "Unreadable cookies", "No key opens them: a key that is gone, another app on this host, or a forgery."},
		{session.EventAmbiguous, "Double cookies", "Two sessions in one request: something else on this domain sets our cookies."},
		{session.EventAhead, "Rows behind their cookies", "The database has lost writes, as in a failover."},
		{session.EventTooLarge, "Cookies too large", "A user has more roles and attributes than fit: they cannot log in."},
		{session.EventUndone, "Logouts not recorded", "The database never learned of them: those sessions may go on."},
	}
)

// tell puts the counts into words.
func tell(stats map[session.EventKind]uint64) (usual, unusual []told) {
	inWords := func(list []eventWords) (all []told) {
		for _, e := range list {
			all = append(all, told{e.what, e.meaning, stats[e.kind]})
		}
		return all
	}
	return inWords(usualEvents), inWords(unusualEvents)
}
