package api

import (
	"strconv"
	"strings"
	"time"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

func (s *Server) getUsage(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	q, err := s.usageQuery(x, environment.GetId())
	if err != nil {
		return err
	}
	rows, err := s.Usage.Query(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendPage(x, listing.Page[*adminv1.UsageRow]{Items: rows}, itself)
}

// usageQuery reads the question; what can be asked at all, the domain says.
func (s *Server) usageQuery(x *exchange, environment string) (usage.Query, error) {
	var q usage.Query
	var violations []problem.Violation
	q.From, violations = x.time("from", violations)
	q.To, violations = x.time("to", violations)
	switch text := x.query.Get("bucket"); text {
	case "1m":
		q.Bucket = time.Minute
	case "1h":
		q.Bucket = time.Hour
	default:
		if x.query.Has("bucket") {
			violations = append(violations, invalidParameter("bucket", "There is no bucket of this length.", text, "1m, 1h"))
		}
	}
	if x.query.Has("group_by") {
		for dimension := range strings.SplitSeq(x.query.Get("group_by"), ",") {
			q.GroupBy = append(q.GroupBy, usage.Dimension(dimension))
		}
	}
	violations = append(violations, s.usageFilter(x, environment, &q)...)
	return q, problem.Invalid(violations...)
}

// usageFilter reads filter[…]. Names of routes and consumers that are there now stand for their ids.
func (s *Server) usageFilter(x *exchange, environment string, q *usage.Query) []problem.Violation {
	var violations []problem.Violation
	for field, text := range x.filter {
		values := strings.Split(text, ",")
		switch field {
		case "route":
			q.Routes = resolve(values, func(name string) (string, error) {
				found, err := s.Catalog.Get(x.context(), environment, catalog.Routes, name)
				return found.ID, err
			})
		case "consumer":
			q.Consumers = resolve(values, func(name string) (string, error) {
				found, err := s.Directory.Get(x.context(), environment, directory.Consumers, name)
				return found.ID, err
			})
		case "status_class":
			for _, value := range values {
				class, err := strconv.ParseUint(value, 10, 8)
				if err != nil {
					violations = append(violations, invalidParameter("filter/status_class", "This is no class of statuses.", value, "1 to 5"))
					continue
				}
				q.StatusClasses = append(q.StatusClasses, uint32(class))
			}
		case "verdict":
			q.Verdicts = values
		default:
			violations = append(violations, listing.UnknownFilter(field, "route, consumer, status_class, verdict"))
		}
	}
	return violations
}

// resolve replaces names by ids. What can't be found stays as it is: the domain refuses it.
func resolve(values []string, find func(name string) (string, error)) []string {
	for i, value := range values {
		if value == "" || id.LooksLikeID(value) {
			continue
		}
		if found, err := find(value); err == nil {
			values[i] = found
		}
	}
	return values
}

// time reads a query parameter that is a time (RFC 3339); zero when it is absent.
func (x *exchange) time(name string, violations []problem.Violation) (time.Time, []problem.Violation) {
	if !x.query.Has(name) {
		return time.Time{}, violations
	}
	text := x.query.Get(name)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 {
		violations = append(violations, invalidParameter(name, "This is no time.", text, "RFC 3339, as in 2026-01-31T00:00:00Z"))
	}
	return t, violations
}

func invalidParameter(name, detail, given, allowed string) problem.Violation {
	return problem.Violation{Pointer: "/" + name, Code: problem.ViolationInvalidValue, Detail: detail, Given: shorten(given), Allowed: allowed}
}
