package usage

import (
	"log/slog"

	"github.com/sallyport/sallyport/proto/id"
)

const (
	// pendingCounters bounds what waits while the bus is away, and pendingCredentials what waits of credentials; beyond them
	// counts fold.
	pendingCounters    = 200_000
	pendingCredentials = 200_000
	// minuteCounters bounds how many counters one minute has, so that nobody fills the database by asking for much that differs. From
	// minuteVerdicts on new ones give up the code of their rejection, from minuteCounters on their route too. Only who called is
	// told apart beyond it.
	minuteCounters = 10_000
	minuteVerdicts = 8_000
	// minutesPerHour and minutesPerDay are what folding turns minutes into.
	minutesPerHour = 60
	minutesPerDay  = 24 * 60
	hoursPerDay    = 24
)

// Verdicts that counters have without a code.
const (
	// Allowed is the verdict that is never given up: it is what is billed.
	Allowed = "allowed"
	// Folded is the verdict of rejections that gave their code up.
	Folded = "folded"
)

func withoutVerdict(k Key) Key {
	if k.Verdict != Allowed {
		k.Verdict = Folded
	}
	return k
}

func withoutRoute(k Key) Key {
	k.Route = id.ID{}
	return k
}

func byDay(k Key) Key {
	k.Minute -= k.Minute % minutesPerDay
	return k
}

// folds are what is given up, one after the other, while too much waits. Who called is never given up, nor whether they were allowed,
// since that is what is billed: what is left in the end is bounded by consumers and days.
var folds = [...]struct {
	to   string
	into func(Key) Key
}{
	{"hours", func(k Key) Key { k.Minute -= k.Minute % minutesPerHour; return k }},
	{"days", byDay},
	{"days without codes of rejections", func(k Key) Key { return withoutVerdict(byDay(k)) }},
	{"days without codes of rejections and routes", func(k Key) Key { return withoutRoute(withoutVerdict(byDay(k))) }},
}

// fold merges counters when too many wait, and returns how many there are fewer.
func (t *tally) fold(log *slog.Logger) int {
	folded := t.foldCounters(log)
	before := t.credentials.len()
	if before <= pendingCredentials {
		return folded
	}
	hourly := t.credentials
	t.credentials = table[CredentialKey, CredentialCounts]{}
	for _, e := range hourly.all() {
		e.key.Hour -= e.key.Hour % hoursPerDay
		t.use(e.key, e.counts)
	}
	after := t.credentials.len()
	if after < before {
		log.Warn("usage of credentials folded to days: the bus has been away for long", "counters_before", before, "counters_after", after)
	}
	return folded + before - after
}

func (t *tally) foldCounters(log *slog.Logger) (fewer int) {
	for _, fold := range folds {
		before := t.counters.len()
		if before <= pendingCounters {
			break
		}
		detailed := t.counters
		t.counters = table[Key, Counts]{}
		for _, e := range detailed.all() {
			t.count(fold.into(e.key), e.counts)
		}
		after := t.counters.len()
		if after == before {
			continue
		}
		fewer += before - after
		log.Warn("usage folded: the bus has been away for long", "to", fold.to, "counters_before", before, "counters_after", after)
	}
	return fewer
}

// minuteCap bounds the counters of a minute. It knows the latest minutes; what comes later than that is rare, and begins anew. The zero
// value has seen none.
type minuteCap struct {
	minutes [2]struct {
		minute int64
		seen   hashes
	}
}

// admit makes a key the one under which its counter is kept, and returns whether it was another.
func (c *minuteCap) admit(hash *uint64, key *Key) (folded bool) {
	seen := c.seen(key.Minute)
	if seen.has(*hash) {
		return false
	}
	if seen.count >= minuteVerdicts && key.Verdict != Allowed && key.Verdict != Folded {
		*key = withoutVerdict(*key)
		*hash, folded = key.hash(), true
	}
	if seen.count >= minuteCounters && !key.Route.IsZero() && (!folded || !seen.has(*hash)) {
		*key = withoutRoute(*key)
		*hash, folded = key.hash(), true
	}
	seen.add(*hash)
	return folded
}

func (c *minuteCap) seen(minute int64) *hashes {
	slot := &c.minutes[uint64(minute)%uint64(len(c.minutes))]
	if slot.minute != minute {
		slot.minute = minute
		slot.seen.reset()
	}
	return &slot.seen
}

// limit keeps the counters of a tally within the bound, and returns how many were folded for it. Several may have one key from then
// on: the tally is to be merged into another, or written, and not to be counted on.
func (c *minuteCap) limit(t *tally) (folded int) {
	counters := t.counters.all()
	for i := range counters {
		if c.admit(&counters[i].hash, &counters[i].key) {
			folded++
		}
	}
	return folded
}
