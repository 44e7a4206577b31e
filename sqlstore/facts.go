package sqlstore

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/sessionkit/sessionkit/session/store"
)

// facts returns what the columns of store.Facts say.
func (r *sessionRow) facts() (f store.Facts, err error) {
	f.Actor, f.ExternalID, f.Client = string(r.actor), string(r.externalID), string(r.client)
	if len(r.methods) > 0 {
		f.Methods = strings.Split(string(r.methods), ",")
	}
	if r.actorSession != nil {
		if f.ActorSession, err = sessionID(r.actorSession); err != nil {
			return f, err
		}
	}
	if r.data != nil {
		if err := json.Unmarshal(r.data, &f.Data); err != nil {
			// The cause would quote the data.
			return f, errors.New("the data of a session are not a JSON object of texts: another program wrote to the sessions table")
		}
	}
	return f, nil
}

// orNull is a parameter for a column that may be NULL.
func orNull(value any, null bool) any {
	if null {
		return nil
	}
	return value
}

// dataParameter is the parameter for the column data: a JSON object of texts.
func dataParameter(data map[string]string) any {
	text, _ := json.Marshal(data) // a map of texts cannot fail
	return orNull(text, len(data) == 0)
}
