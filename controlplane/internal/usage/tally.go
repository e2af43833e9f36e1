package usage

import (
	"bytes"
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Key is what counters share that add up.
type Key struct {
	Environment string
	Minute      int64    // since 1970; of an hour's sums its first
	Route       [16]byte // zero: none matched
	Consumer    [16]byte // zero: none known
	StatusClass int16
	Verdict     string
}

// Sums is what was counted under a key.
type Sums struct {
	Requests, RequestBytes, ResponseBytes, DurationUs int64
}

// Rollup is a key and its sums.
type Rollup struct {
	Key
	Sums
}

// CredentialKey is what counts of a credential share that add up.
type CredentialKey struct {
	Environment string
	Hour        int64 // since 1970
	Credential  [16]byte
}

// CredentialCount is how often a credential was used in an hour.
type CredentialCount struct {
	CredentialKey
	Consumer [16]byte // zero: none known
	Requests int64
}

// CredentialUse is when a credential was last used, and how often in all.
type CredentialUse struct {
	Environment string
	Credential  [16]byte
	LastUsed    time.Time
	Requests    int64
}

// Request is one request, as it is listed.
type Request struct {
	Environment                         string
	TimeMs                              int64 // since 1970
	Number                              int64 // tells those of one millisecond apart; the store gives it
	ID, Node, Method, Host, Path        string
	Client                              netip.Addr // invalid: not known
	Route, Consumer, Credential, Policy [16]byte   // zero: none
	Status                              int16
	Verdict                             string
	Revision, DurationUs, UpstreamUs    int64
	RequestBytes, ResponseBytes         int64
	ShadowVerdict                       string // of a policy in shadow that would have rejected it; "": none would have
	Decision                            []byte // how it was decided, a usagev1.Decision; empty: nobody told
}

// Intake is what batches add to what is kept. The order of each list is fixed, so that two transactions
// that add to the same rows lock them in the same order.
type Intake struct {
	Minutes, Hours []Rollup
	Credentials    []CredentialCount
	Uses           []CredentialUse
	Requests       []Request
	Findings       []Finding
	// FirstMinutes has, for each batch in turn, the earliest minute that it counts.
	FirstMinutes []int64
	Taken        Taken
}

// Taken is what became of batches.
type Taken struct {
	Batches  int // counted; the others had been before
	Counters int // in them
	Late     int // of these, counted by the hour alone: their minute isn't kept any more
	Moved    int // of these and of credentials' counts, counted as of now: their clock can't be right
	Requests int // listed
	Expired  int // requests that are too old to be listed
	Dropped  int // rejected requests that nodes had no room to list, as they say
	// Unlistable are requests of which a node says what can't be.
	Unlistable int
}

// tally adds up one group of batches.
type tally struct {
	periods     periods
	minutes     map[Key]Sums
	hours       map[Key]Sums
	credentials map[CredentialKey]CredentialCount
	uses        map[CredentialKey]CredentialUse // of hour 0
	intake      Intake
}

// Tally returns what checked batches add, when it is now. Nothing that was counted is lost for its time:
// what is too old for the minutes counts in its hour, and what lies outside of all that is kept, as only
// a wrong clock says, counts as of now.
func Tally(batches []*usagev1.Batch, now time.Time) Intake {
	counters := 0
	for _, b := range batches {
		counters += len(b.GetCounters())
	}
	t := tally{
		periods: periodsAt(now),
		minutes: make(map[Key]Sums, counters), hours: map[Key]Sums{},
		credentials: map[CredentialKey]CredentialCount{}, uses: map[CredentialKey]CredentialUse{},
	}
	for _, b := range batches {
		t.add(b)
	}
	t.intake.Minutes, t.intake.Hours = sorted(t.minutes), sorted(t.hours)
	t.intake.Credentials = slices.SortedFunc(maps.Values(t.credentials), func(a, b CredentialCount) int { return a.compare(b.CredentialKey) })
	t.intake.Uses = slices.SortedFunc(maps.Values(t.uses), func(a, b CredentialUse) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), bytes.Compare(a.Credential[:], b.Credential[:]))
	})
	return t.intake
}

func (t *tally) add(b *usagev1.Batch) {
	first := t.periods.nowMinute
	for _, c := range b.GetCounters() {
		first = min(first, t.count(b.GetEnvironment(), c))
	}
	for _, c := range b.GetCredentials() {
		t.use(b.GetEnvironment(), c)
	}
	for _, e := range b.GetEvents() {
		t.list(b, e)
	}
	t.intake.FirstMinutes = append(t.intake.FirstMinutes, first)
	t.intake.Taken.Batches++
	t.intake.Taken.Counters += len(b.GetCounters())
	t.intake.Taken.Dropped += int(b.GetEventsDropped())
}

// count adds a counter, and returns the minute that it counts in.
func (t *tally) count(environment string, c *usagev1.Counter) int64 {
	minute, moved := t.periods.minute(c.GetMinute())
	if moved {
		t.intake.Taken.Moved++
	}
	key := Key{Environment: environment, Minute: minute, StatusClass: int16(c.GetStatusClass()), Verdict: c.GetVerdict()}
	copy(key.Route[:], c.GetRoute())
	copy(key.Consumer[:], c.GetConsumer())
	if minute >= t.periods.firstMinute {
		t.minutes[key] = t.minutes[key].plus(c)
	} else {
		t.intake.Taken.Late++
	}
	key.Minute -= minute % minutesPerHour
	t.hours[key] = t.hours[key].plus(c)
	return minute
}

func (t *tally) use(environment string, c *usagev1.CredentialCount) {
	hour, moved := t.periods.hour(c.GetHour())
	if moved {
		t.intake.Taken.Moved++
	}
	key := CredentialKey{Environment: environment, Credential: [16]byte(c.GetCredential())}
	used := t.uses[key]
	used.Environment, used.Credential = key.Environment, key.Credential
	used.Requests = add(used.Requests, c.GetRequests())
	if at := t.periods.lastUse(c.GetLastUsedMs(), hour); at.After(used.LastUsed) {
		used.LastUsed = at
	}
	t.uses[key] = used
	if hour < t.periods.firstCredentialHour {
		return // the sum over all time has it
	}
	key.Hour = hour
	count := t.credentials[key]
	count.CredentialKey = key
	copy(count.Consumer[:], c.GetConsumer())
	count.Requests = add(count.Requests, c.GetRequests())
	t.credentials[key] = count
}

func (t *tally) list(b *usagev1.Batch, e *usagev1.Event) {
	if !isListable(e) {
		t.intake.Taken.Unlistable++
		return
	}
	at := min(e.GetTimeMs(), t.periods.nowMs)
	if at < t.periods.firstEventMs {
		t.intake.Taken.Expired++
		return
	}
	r := Request{
		Environment: b.GetEnvironment(), Node: b.GetNode(), TimeMs: at,
		ID:     legible(e.GetRequestId(), maxRequestID),
		Method: legible(e.GetMethod(), maxMethod), Host: legible(e.GetHost(), maxHost), Path: legible(e.GetPath(), maxPath),
		Status: int16(e.GetStatus()), Verdict: e.GetVerdict(), Revision: int64(e.GetRevision()),
		DurationUs: int64(e.GetDurationUs()), UpstreamUs: int64(e.GetUpstreamUs()),
		RequestBytes: int64(e.GetRequestBytes()), ResponseBytes: int64(e.GetResponseBytes()),
		ShadowVerdict: e.GetShadowVerdict(), Decision: decisionOf(e),
	}
	if client, ok := netip.AddrFromSlice(e.GetClient()); ok {
		r.Client = client.Unmap()
	}
	copy(r.Route[:], e.GetRoute())
	copy(r.Consumer[:], e.GetConsumer())
	copy(r.Credential[:], e.GetCredential())
	copy(r.Policy[:], e.GetPolicy())
	t.intake.Requests = append(t.intake.Requests, r)
	if len(r.Decision) > 0 {
		t.intake.Findings = append(t.intake.Findings, findingsOf(&r, e.GetDecision())...)
	}
	t.intake.Taken.Requests++
}

// mostSum is where a sum stops: two of them still add up in 64 bits. Only a node that lies gets there, and it
// must not break the counting of others.
const mostSum = 1 << 61

// add adds what one counter says, at most maxSum, to a sum.
func add(sum int64, counted uint64) int64 { return min(sum+int64(counted), mostSum) }

func (s Sums) plus(c *usagev1.Counter) Sums {
	return Sums{
		Requests:      add(s.Requests, c.GetRequests()),
		RequestBytes:  add(s.RequestBytes, c.GetRequestBytes()),
		ResponseBytes: add(s.ResponseBytes, c.GetResponseBytes()),
		DurationUs:    add(s.DurationUs, c.GetDurationUs()),
	}
}

func sorted(sums map[Key]Sums) []Rollup {
	rollups := make([]Rollup, 0, len(sums))
	for key, s := range sums {
		rollups = append(rollups, Rollup{Key: key, Sums: s})
	}
	slices.SortFunc(rollups, func(a, b Rollup) int { return a.compare(b.Key) })
	return rollups
}

func (k Key) compare(o Key) int {
	if c := cmp.Compare(k.Environment, o.Environment); c != 0 {
		return c
	}
	if c := cmp.Compare(k.Minute, o.Minute); c != 0 {
		return c
	}
	if c := bytes.Compare(k.Route[:], o.Route[:]); c != 0 {
		return c
	}
	if c := bytes.Compare(k.Consumer[:], o.Consumer[:]); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(k.StatusClass, o.StatusClass), cmp.Compare(k.Verdict, o.Verdict))
}

func (k CredentialKey) compare(o CredentialKey) int {
	return cmp.Or(
		cmp.Compare(k.Environment, o.Environment),
		cmp.Compare(k.Hour, o.Hour),
		bytes.Compare(k.Credential[:], o.Credential[:]),
	)
}

// legible makes a text of a stranger one that the database can hold and a screen can show. A request isn't
// worth refusing what it was counted with.
func legible(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

func idText(prefix string, raw [16]byte) string {
	if id.ID(raw).IsZero() {
		return ""
	}
	return id.Text(prefix, raw)
}
