// Package vectors holds tests only: that what the keys and the cookies' MACs are
// computed by agrees with vectors published for it.
package vectors
