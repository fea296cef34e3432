// Package gateway attacks layer 1: authentication, exposure, stale authority
// and the escalation of scopes, one test per advisory. Every row is also run
// with the defence that stops it switched off, and must then succeed.
package gateway
