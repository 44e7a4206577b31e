package sqlstore_test

import (
	"strings"
	"testing"

	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/session/store/storetest"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// backend is an app with integer ids. params are added to the DSN.
func backend(t *testing.T, params ...string) storetest.Backend {
	return newApp(t, integerUsers, sqlstore.Config{Attrs: map[string]string{"name": "name"}}, params...).backend()
}

func (a app) backend() storetest.Backend {
	return storetest.Backend{
		Store:      a.Store,
		SetUser:    func(t *testing.T, id string, u store.User) { a.setUser(t, id, u) },
		RemoveUser: func(t *testing.T, id string) { a.exec(t, "DELETE FROM users WHERE id = ?", id) },

		LoseRevokeAll: a.loseRevokeAll,
		ExpiresAt:     a.expiresAt,

		Alice:  "1",
		Bob:    "18446744073709551615",
		Nobody: "1 OR 1=1",
	}
}

// The parameters of the driver change how values are sent and read. Each pair of settings
// occurs in one of the connections.
func TestStore_KeepsTheContractWithEveryConnectionSetting(t *testing.T) {
	suite(t, "store contract and its races")
	for i, params := range []string{
		"time_zone=%27%2B09:00%27,parseTime=false,clientFoundRows=false,interpolateParams=false",
		"time_zone=%27%2B09:00%27,parseTime=true,clientFoundRows=true,interpolateParams=false",
		"time_zone=%27-08:00%27,parseTime=true,clientFoundRows=false,interpolateParams=true",
		"time_zone=%27-08:00%27,parseTime=false,clientFoundRows=true,interpolateParams=true",
	} {
		if testing.Short() && i > 0 {
			continue
		}
		t.Run(params, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, strings.Split(params, ",")...) })
		})
	}
}
