package nethttp

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
)

// Requirement is what a route requires of a request. The zero Requirement is a
// session. With Live, Roles, Methods and Recent are judged by what the store says, and so
// are those of the guards that ran before in the same request.
//
// A new requirement is a field here that Requirement.refusal judges by the session, or
// checkLive by the store, and a method of each guard. conditions keeps it if RequireLive must
// judge it again.
type Requirement struct {
	Public  bool          // no session is required, and Roles, Methods and Recent are ignored
	Roles   []string      // the session must have one of these; empty: any session
	Methods []string      // the user must have proved who they are by one of these; empty: by any
	Recent  time.Duration // the login must be younger; 0: any age
	Live    bool          // the store must say that the session is live now, and the client must hold its refresh cookie

	// Background requires nothing. It says that the request does not show that the user is
	// there: see Config.Background. It must come with the first requirement of a request.
	Background bool
}

// refusal returns the reason to refuse a request that does not meet the requirement.
func (n Requirement) refusal(st *state) (reason, error) {
	switch {
	case n.Public && errors.Is(st.err, session.ErrStoreUnavailable) && session.IsPrefetch(&st.request):
		// Whether the user has a session is not known. The browser would keep the page of
		// a user who has none.
		return unavailable, st.err
	case n.Public:
		return admitted, nil // also if the store does not answer
	case st.err != nil:
		return reasonFor(st.err), st.err
	case len(n.Roles) > 0 && !st.verdict.Session().HasRole(n.Roles[0], n.Roles[1:]...):
		return forbidden, errors.New("the session has none of the roles that the route requires")
	case (len(n.Methods) > 0 || n.Recent > 0) && st.verdict.Session().Actor != "":
		return forbidden, errors.New("the route asks the user to prove who they are, which nobody can do for them in an impersonation")
	case len(n.Methods) > 0 && !st.verdict.Session().HasMethod(n.Methods[0], n.Methods[1:]...):
		return reauthenticate, missingMethod{n.Methods}
	case n.Recent > 0 && !st.proven && !st.verdict.Session().LoggedInWithin(n.Recent):
		return reauthenticate, tooOld{n.Recent}
	default:
		return admitted, nil
	}
}

// missingMethod says that the user has not proved who they are by one of the methods.
type missingMethod struct{ methods []string }

func (e missingMethod) Error() string {
	return "the user has not proved who they are by a method that the route requires: " + strings.Join(e.methods, " or ")
}

// tooOld says that the user has proved who they are too long ago.
type tooOld struct{ limit time.Duration }

func (tooOld) Error() string { return "the login is too old for the route" }

// conditions are what the guards of a request have required of its session. RequireLive
// judges them again. A handler may run guards for parts of a request in parallel, so it
// is safe for concurrent use. The zero value has none.
type conditions struct {
	mu     sync.Mutex     // guards what follows
	recent time.Duration  // the shortest; 0: none
	others []Requirement  // the roles and methods of each
	room   [3]Requirement // backs others, to save allocations
}

func (met *conditions) add(n Requirement) {
	if n.Public {
		return
	}
	met.mu.Lock()
	defer met.mu.Unlock()
	if n.Recent > 0 && (met.recent == 0 || n.Recent < met.recent) {
		met.recent = n.Recent
	}
	if len(n.Roles) > 0 || len(n.Methods) > 0 {
		if met.others == nil {
			met.others = met.room[:0]
		}
		met.others = append(met.others, Requirement{Roles: n.Roles, Methods: n.Methods})
	}
}

// refusal returns the reason to refuse a request whose state does not meet them all.
func (met *conditions) refusal(st *state) (reason, error) {
	met.mu.Lock()
	defer met.mu.Unlock()
	for _, need := range met.others {
		if why, err := need.refusal(st); why != admitted {
			return why, err
		}
	}
	return Requirement{Recent: met.recent}.refusal(st)
}
