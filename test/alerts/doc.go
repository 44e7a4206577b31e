// Package alerts tests the alert rules and the dashboard of metrics/sessionprom: they parse with
// Prometheus' own parser, and ask for metrics and labels that a Manager exports.
package alerts
