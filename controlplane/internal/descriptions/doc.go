// Package descriptions says what API descriptions are good for beside being enforced: what callers ask for that one doesn't have ([Reports.Undocumented]), and which routes one makes
// ([Reports.PlanRoutes]).
//
// It owns both answers. It doesn't own what a document means (proto/openapi), requests (package usage), nor the writing of routes: a plan is operations for a batch.
package descriptions
