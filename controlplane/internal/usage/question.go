package usage

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Dimension is what usage can be grouped by.
type Dimension string

// Dimensions.
const (
	ByTime        Dimension = "time"
	ByRoute       Dimension = "route"
	ByConsumer    Dimension = "consumer"
	ByStatusClass Dimension = "status_class"
	ByVerdict     Dimension = "verdict"
)

// Dimensions returns all of them, in the order in which rows are sorted.
func Dimensions() []Dimension {
	return []Dimension{ByTime, ByRoute, ByConsumer, ByStatusClass, ByVerdict}
}

// Limits of a question.
const (
	defaultSpan = 24 * time.Hour
	maxRows     = 10_000
	maxFilter   = 100
	day         = 24 * time.Hour
)

// Query is what a caller asks, as the face read it. Empty filters let everything pass.
type Query struct {
	From, To      time.Time     // [From, To); zero: the day before To, and now
	GroupBy       []Dimension   // none: one row for all
	Bucket        time.Duration // of ByTime: a minute, an hour or a day (UTC); 0: as fine as the time asked for allows
	Routes        []string      // "rt_…", or "" for requests that no route matched
	Consumers     []string      // "con_…", or "" for requests of nobody known
	StatusClasses []uint32      // 1 to 5
	Verdicts      []string
}

// Question is a Query that was checked, as the store takes it: the whole hours of a time, and the minutes
// before and after them.
type Question struct {
	FromMinute, ToMinute int64 // [FromMinute, ToMinute), since 1970
	// FromHour and ToHour are the part of it that is whole hours; nothing when they are the same.
	FromHour, ToHour  int64
	GroupBy           []Dimension
	BucketMinutes     int64
	Routes, Consumers [][16]byte
	StatusClasses     []int16
	Verdicts          []string
	Limit             int // rows; one more is read to know that there are more
}

// CredentialQuery is what a caller asks about credentials.
type CredentialQuery struct {
	From, To    time.Time
	Bucket      time.Duration // an hour or a day (UTC); 0: one row for the whole time
	Credentials []string      // "key_…"
	Consumers   []string
}

// CredentialQuestion is a CredentialQuery that was checked.
type CredentialQuestion struct {
	FromHour, ToHour       int64 // [FromHour, ToHour), since 1970
	BucketHours            int64 // 0: none
	Credentials, Consumers [][16]byte
	Limit                  int
}

// RequestQuery is what a caller asks about single requests.
type RequestQuery struct {
	From, To                              time.Time
	Routes, Consumers, Credentials, Nodes []string
	Verdicts, RequestIDs                  []string
	ShadowVerdicts                        []string // of policies in shadow
	Rules                                 []string // that found something
	Statuses                              []uint32
	Clients                               []string // addresses, or ranges of them
	Page                                  listing.Query
}

// RequestQuestion is a RequestQuery that was checked.
type RequestQuestion struct {
	FromMs, ToMs                   int64 // [FromMs, ToMs), since 1970
	BeforeMs, BeforeNumber         int64 // newest first, from behind this one
	Routes, Consumers, Credentials [][16]byte
	Nodes, Verdicts, RequestIDs    []string
	ShadowVerdicts                 []string
	Rules                          []string
	Statuses                       []int16
	Clients                        []netip.Prefix
	Limit                          int
}

// faults collects what is wrong with a question.
type faults []problem.Violation

func (f *faults) add(pointer, code, detail, given, allowed string) {
	*f = append(*f, problem.Violation{Pointer: pointer, Code: code, Detail: detail, Given: given, Allowed: allowed})
}

// lastDay is where the time asked for ends at the latest: what it is widened to must still be a time that can be told.
var lastDay = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// span returns the time asked for, with its defaults.
func (f *faults) span(from, to, now time.Time) (time.Time, time.Time) {
	if to.IsZero() {
		to = now
	}
	if to.After(lastDay) {
		to = lastDay
	}
	if from.IsZero() {
		from = to.Add(-defaultSpan)
	}
	if !from.Before(to) {
		f.add("/from", problem.ViolationOutOfRange, "The time asked for is empty: from must be before to.", from.Format(time.RFC3339), "before "+to.Format(time.RFC3339))
	}
	return from, to
}

func (q Query) question(now time.Time) (Question, error) {
	var wrong faults
	from, to := wrong.span(q.From, q.To, now)
	out := Question{Verdicts: q.Verdicts, Limit: maxRows + 1}
	out.minutes(from, to, now)
	out.BucketMinutes = wrong.bucketMinutes(q.Bucket, from, to, now)
	if out.BucketMinutes == 1 && slices.Contains(q.GroupBy, ByTime) {
		out.FromHour, out.ToHour = 0, 0 // the hours don't tell minutes apart
	}
	for i, d := range q.GroupBy {
		if !slices.Contains(Dimensions(), d) {
			wrong.add(problem.Pointer("group_by", i), problem.ViolationInvalidValue, "Usage can't be grouped by this.", fmt.Sprintf("%.64s", d), allowedDimensions())
		}
	}
	for _, d := range Dimensions() { // each once, in a fixed order
		if slices.Contains(q.GroupBy, d) {
			out.GroupBy = append(out.GroupBy, d)
		}
	}
	for i, class := range q.StatusClasses {
		if class < 1 || class > 5 {
			wrong.add(problem.Pointer("filter", "status_class", i), problem.ViolationOutOfRange, "There is no such class of status codes.", strconv.FormatUint(uint64(class), 10), "1 to 5")
			continue
		}
		out.StatusClasses = append(out.StatusClasses, int16(class))
	}
	out.Routes = wrong.ids(id.Route, "route", q.Routes)
	out.Consumers = wrong.ids(id.Consumer, "consumer", q.Consumers)
	wrong.verdicts("verdict", q.Verdicts)
	wrong.tooMany(len(q.Routes), len(q.Consumers), len(q.StatusClasses), len(q.Verdicts))
	return out, problem.Invalid(wrong...)
}

// minutes sets what of the time asked for is read from where. What begins or ends within an hour of which
// the minutes aren't kept any more is widened to the whole hour.
func (q *Question) minutes(from, to, now time.Time) {
	kept := periodsAt(now).firstMinute
	q.FromMinute, q.ToMinute = from.Unix()/60, (to.Unix()+59)/60
	if q.FromMinute < kept {
		q.FromMinute -= q.FromMinute % minutesPerHour
	}
	if into := q.ToMinute % minutesPerHour; into != 0 && q.ToMinute-into < kept {
		q.ToMinute += minutesPerHour - into
	}
	q.FromHour, q.ToHour = (q.FromMinute+minutesPerHour-1)/minutesPerHour, q.ToMinute/minutesPerHour
	if q.FromHour >= q.ToHour {
		q.FromHour, q.ToHour = 0, 0
	}
}

// bucketMinutes returns how long a bucket is; 0 for one that isn't kept.
func (f *faults) bucketMinutes(bucket time.Duration, from, to, now time.Time) int64 {
	kept := from.Unix()/60 >= periodsAt(now).firstMinute
	switch {
	case bucket == 0 && kept && to.Sub(from) <= 6*time.Hour:
		return 1
	case bucket == time.Minute && kept:
		return 1
	case bucket == time.Minute:
		f.add("/bucket", problem.ViolationOutOfRange, "Minutes are kept for 48 hours: ask from then on, or by the hour.", "1m", "1h, 1d")
	case bucket == time.Hour, bucket == 0:
		return minutesPerHour
	case bucket == day:
		return minutesPerHour * hoursPerDay
	default:
		f.add("/bucket", problem.ViolationInvalidValue, "Usage isn't kept in such buckets.", bucket.String(), "1m, 1h or 1d")
	}
	return 0
}

func (q CredentialQuery) question(now time.Time) (CredentialQuestion, error) {
	var wrong faults
	from, to := wrong.span(q.From, q.To, now)
	out := CredentialQuestion{FromHour: from.Unix() / 3600, ToHour: (to.Unix() + 3599) / 3600, Limit: maxRows + 1}
	switch q.Bucket {
	case 0, time.Hour, day:
		out.BucketHours = int64(q.Bucket / time.Hour)
	default:
		wrong.add("/bucket", problem.ViolationInvalidValue, "The use of credentials isn't kept in such buckets.", q.Bucket.String(), "1h or 1d")
	}
	out.Credentials = wrong.credentials(q.Credentials)
	out.Consumers = wrong.ids(id.Consumer, "consumer", q.Consumers)
	wrong.tooMany(len(q.Credentials), len(q.Consumers))
	return out, problem.Invalid(wrong...)
}

func (q RequestQuery) question(now time.Time) (RequestQuestion, error) {
	var wrong faults
	from, to := wrong.span(q.From, q.To, now)
	out := RequestQuestion{
		FromMs: from.UnixMilli(), ToMs: to.UnixMilli(), Nodes: q.Nodes, RequestIDs: q.RequestIDs,
		Verdicts: q.Verdicts, ShadowVerdicts: q.ShadowVerdicts, Rules: q.Rules,
		Routes:      wrong.ids(id.Route, "route", q.Routes),
		Consumers:   wrong.ids(id.Consumer, "consumer", q.Consumers),
		Credentials: wrong.credentials(q.Credentials),
	}
	for i, status := range q.Statuses {
		if status < 100 || status > 999 {
			wrong.add(problem.Pointer("filter", "status", i), problem.ViolationOutOfRange, "There is no such status.", strconv.FormatUint(uint64(status), 10), "100 to 999")
			continue
		}
		out.Statuses = append(out.Statuses, int16(status))
	}
	for i, text := range q.Clients {
		prefix, err := parseRange(text)
		if err != nil {
			wrong.add(problem.Pointer("filter", "client", i), problem.ViolationInvalidFormat, "This is neither an address nor a range of them.", fmt.Sprintf("%.64s", text), "192.0.2.1, 192.0.2.0/24, 2001:db8::/32")
			continue
		}
		out.Clients = append(out.Clients, prefix)
	}
	for field, prefix := range map[string]string{"node": id.Node, "request_id": id.Request} {
		wrong.ids(prefix, field, map[string][]string{"node": q.Nodes, "request_id": q.RequestIDs}[field])
	}
	wrong.verdicts("verdict", q.Verdicts)
	wrong.verdicts("shadow_verdict", q.ShadowVerdicts)
	wrong.rules(q.Rules)
	wrong.tooMany(len(q.Routes), len(q.Consumers), len(q.Credentials), len(q.Nodes), len(q.Statuses), len(q.Clients),
		len(q.Verdicts), len(q.ShadowVerdicts), len(q.RequestIDs), len(q.Rules))
	return out, problem.Invalid(wrong...)
}

func parseRange(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

func allowedDimensions() string {
	names := make([]string, 0, len(Dimensions()))
	for _, d := range Dimensions() {
		names = append(names, string(d))
	}
	return strings.Join(names, ", ")
}

// credentials reads ids of API keys and passwords.
func (f *faults) credentials(texts []string) [][16]byte {
	plain := make([]string, len(texts))
	for i, text := range texts {
		plain[i] = text
		if password, err := id.Parse(id.Password, text); err == nil {
			plain[i] = id.Text(id.APIKey, password)
		}
	}
	return f.ids(id.APIKey, "credential", plain)
}

func (f *faults) ids(prefix, field string, texts []string) [][16]byte {
	var ids [][16]byte
	for i, text := range texts {
		if text == "" {
			ids = append(ids, [16]byte{})
			continue
		}
		parsed, err := id.Parse(prefix, text)
		if err != nil {
			f.add(problem.Pointer("filter", field, i), problem.ViolationInvalidFormat, "This is not an id.", fmt.Sprintf("%.64s", text), prefix+"_…, or empty for none")
			continue
		}
		ids = append(ids, parsed)
	}
	return ids
}

func (f *faults) verdicts(field string, verdicts []string) {
	for i, verdict := range verdicts {
		if !plain(verdict, maxVerdict) {
			f.add(problem.Pointer("filter", field, i), problem.ViolationInvalidValue, "There is no such verdict.", "", "")
		}
	}
}

func (f *faults) rules(rules []string) {
	for i, rule := range rules {
		if rule == "" || !plain(rule, maxRule) {
			f.add(problem.Pointer("filter", "rule", i), problem.ViolationInvalidValue, "There is no such rule.", "", `a number or name, as in "942100"`)
		}
	}
}

func (f *faults) tooMany(values ...int) {
	if slices.Max(values) > maxFilter {
		f.add("/filter", problem.ViolationTooMany, "A filter lists too many values.", "", fmt.Sprintf("at most %d", maxFilter))
	}
}
