// Package admin is what a node tells its operator: health, readiness, position and metrics, over HTTP on loopback; with [Profiled]
// also where its processor time goes.
//
// It owns the names of the edge's metrics (one list, [Metrics]) and how they are read out. It changes nothing, and holds no state: it
// asks its Source on each request.
package admin
