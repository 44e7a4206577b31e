package sqlstore_test

import (
	"fmt"
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

func TestStore_KeepsTheContractWithEveryConnectionSetting(t *testing.T) {
	suite(t, "store contract and its races")
	const allFlags = 1<<3 - 1
	for _, zone := range []string{"%27%2B09:00%27", "%27-08:00%27"} {
		for flags := range allFlags + 1 {
			if testing.Short() && flags != 0 && flags != allFlags {
				continue
			}
			params := []string{"time_zone=" + zone}
			for bit, flag := range []string{"parseTime", "clientFoundRows", "interpolateParams"} {
				params = append(params, fmt.Sprintf("%s=%t", flag, flags&(1<<bit) != 0))
			}
			t.Run(strings.Join(params, ","), func(t *testing.T) {
				t.Parallel()
				storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, params...) })
			})
		}
	}
}
