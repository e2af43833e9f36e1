package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
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
	rows, coverage, err := s.Usage.Query(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendCovered(x, listing.Page[*adminv1.UsageRow]{Items: rows}, coverage)
}

func (s *Server) getCredentialUsage(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	f := s.filtersOf(x, environment.GetId())
	q := usage.CredentialQuery{Bucket: f.bucket("1h", "1d"), Credentials: f.credentials(), Consumers: f.consumers()}
	q.From, q.To = f.span()
	if err := f.done(); err != nil {
		return err
	}
	rows, coverage, err := s.Usage.Credentials(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendCovered(x, listing.Page[*adminv1.UsageCredentialRow]{Items: rows}, coverage)
}

func (s *Server) listRequests(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	page, err := x.listQuery()
	if err != nil {
		return err
	}
	f := s.filtersOf(x, environment.GetId())
	q := usage.RequestQuery{
		Page: page, Routes: f.routes(), Consumers: f.consumers(), Credentials: f.credentials(), Nodes: f.texts("node"),
		Verdicts: f.texts("verdict"), ShadowVerdicts: f.texts("shadow_verdict"), Rules: f.texts("rule"), RequestIDs: f.texts("request_id"), Clients: f.texts("client"),
		Statuses: f.numbers("status", "100 to 999"),
	}
	q.From, q.To = f.span()
	if err := f.done(); err != nil {
		return err
	}
	found, coverage, err := s.Usage.Requests(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendCovered(x, found, coverage)
}

func (s *Server) getRequest(x *exchange) error {
	environment, key, err := s.keyed(x)
	if err != nil {
		return err
	}
	found, err := s.Usage.Request(x.context(), environment.GetId(), key)
	if err != nil {
		return err
	}
	return x.send(http.StatusOK, found)
}

func (s *Server) getFindingUsage(x *exchange) error {
	environment, err := s.environment(x)
	if err != nil {
		return err
	}
	page, err := x.listQuery()
	if err != nil {
		return err
	}
	f := s.filtersOf(x, environment.GetId())
	q := usage.FindingQuery{Page: page, Routes: f.routes(), Policies: f.policies(), Rules: f.texts("rule")}
	q.From, q.To = f.span()
	if err := f.done(); err != nil {
		return err
	}
	found, coverage, err := s.Usage.Findings(x.context(), environment.GetId(), q)
	if err != nil {
		return err
	}
	return sendCovered(x, found, coverage)
}

// sendCovered writes a page of an answer about usage, and what it covers.
func sendCovered[M proto.Message](x *exchange, page listing.Page[M], coverage *adminv1.UsageCoverage) error {
	body, err := appendPage(page, itself)
	if err != nil {
		return err
	}
	if body, err = resource.Append(append(body, `,"coverage":`...), coverage); err != nil {
		return err
	}
	return x.echo.Blob(http.StatusOK, mediaJSON, append(body, '}'))
}

// usageQuery reads the question; what can be asked at all, the domain says.
func (s *Server) usageQuery(x *exchange, environment string) (usage.Query, error) {
	f := s.filtersOf(x, environment)
	q := usage.Query{
		Bucket: f.bucket("1m", "1h", "1d"), Routes: f.routes(), Consumers: f.consumers(),
		StatusClasses: f.numbers("status_class", "1 to 5"), Verdicts: f.texts("verdict"),
	}
	q.From, q.To = f.span()
	if x.query.Has("group_by") {
		for dimension := range strings.SplitSeq(x.query.Get("group_by"), ",") {
			q.GroupBy = append(q.GroupBy, usage.Dimension(dimension))
		}
	}
	return q, f.done()
}

// filters reads the query of a question about usage. What it isn't asked for can't be filtered by.
type filters struct {
	server      *Server
	x           *exchange
	environment string
	read        []string
	violations  []problem.Violation
}

func (s *Server) filtersOf(x *exchange, environment string) *filters {
	return &filters{server: s, x: x, environment: environment}
}

// texts returns the values of filter[field], nil when it isn't there.
func (f *filters) texts(field string) []string {
	f.read = append(f.read, field)
	text, given := f.x.filter[field]
	if !given {
		return nil
	}
	return strings.Split(text, ",")
}

// numbers returns the values of filter[field] as numbers.
func (f *filters) numbers(field, allowed string) []uint32 {
	var numbers []uint32
	for _, value := range f.texts(field) {
		number, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			f.violations = append(f.violations, invalidParameter("filter/"+field, "This is no number of this kind.", value, allowed))
			continue
		}
		numbers = append(numbers, uint32(number))
	}
	return numbers
}

// routes, policies, consumers and credentials: names of what is there now stand for their ids.
func (f *filters) routes() []string { return f.objects("route", catalog.Routes) }

func (f *filters) policies() []string { return f.objects("policy", catalog.Policies) }

func (f *filters) objects(field, collection string) []string {
	return resolve(f.texts(field), func(name string) (string, error) {
		found, err := f.server.Catalog.Get(f.x.context(), f.environment, collection, name)
		return found.ID, err
	})
}

func (f *filters) consumers() []string { return f.entries("consumer", directory.Consumers) }

func (f *filters) credentials() []string { return f.entries("credential", directory.APIKeys) }

func (f *filters) entries(field, collection string) []string {
	return resolve(f.texts(field), func(name string) (string, error) {
		found, err := f.server.Directory.Get(f.x.context(), f.environment, collection, name)
		return found.ID, err
	})
}

// bucket returns the length of a time bucket; 0 when none is asked for.
func (f *filters) bucket(allowed ...string) time.Duration {
	text := f.x.query.Get("bucket")
	length, known := map[string]time.Duration{"1m": time.Minute, "1h": time.Hour, "1d": 24 * time.Hour}[text]
	if f.x.query.Has("bucket") && (!known || !slices.Contains(allowed, text)) {
		f.violations = append(f.violations, invalidParameter("bucket", "There is no bucket of this length.", text, strings.Join(allowed, ", ")))
	}
	return length
}

// span returns the time asked for; zero where nothing is said.
func (f *filters) span() (from, to time.Time) {
	from, f.violations = f.x.time("from", f.violations)
	to, f.violations = f.x.time("to", f.violations)
	return from, to
}

// done returns everything that was wrong.
func (f *filters) done() error {
	for field := range f.x.filter {
		if !slices.Contains(f.read, field) {
			f.violations = append(f.violations, listing.UnknownFilter(field, strings.Join(f.read, ", ")))
		}
	}
	return problem.Invalid(f.violations...)
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

// Times that can be asked about, wherever they are written. The last day of the year 9999 is left out: rounded up to the end of a bucket, it
// would be a time that JSON can't say.
var (
	earliestTime = time.Unix(0, 0)
	latestTime   = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)
)

// time reads a query parameter that is a time (RFC 3339); zero when it is absent.
func (x *exchange) time(name string, violations []problem.Violation) (time.Time, []problem.Violation) {
	if !x.query.Has(name) {
		return time.Time{}, violations
	}
	text := x.query.Get(name)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Before(earliestTime) || t.After(latestTime) {
		violations = append(violations, invalidParameter(name, "This is no time.", text, "RFC 3339, as in 2026-01-31T00:00:00Z"))
	}
	return t, violations
}

func invalidParameter(name, detail, given, allowed string) problem.Violation {
	return problem.Violation{Pointer: "/" + name, Code: problem.ViolationInvalidValue, Detail: detail, Given: shorten(given), Allowed: allowed}
}
