// Package sessionprom shows to Prometheus how a session.Manager fares: how many events of each
// kind there were, how it stands, and how long refreshes, logins and calls of the store take.
//
//	metrics := sessionprom.New("shop")
//	sessions, err := session.New(keys, store, session.Config{Observe: metrics.Observe})
//	...
//	err = metrics.Register(prometheus.DefaultRegisterer, sessions)
//
// All names begin with sessionkit_. The label app tells the Managers of one process apart. No
// label comes from a user or a request, so the number of series is bounded: about 20 kinds of events, six
// gauges, and a histogram for each of five outcomes of a refresh, a login and each method of the store
// that is called.
//
// The folder has files for the names: alerts.yml for Prometheus, and dashboard.json for Grafana.
package sessionprom
