package usage

import (
	"hash/maphash"
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
	before := len(t.credentials)
	if before <= pendingCredentials {
		return folded
	}
	days := make(map[CredentialKey]CredentialCounts)
	for key, counts := range t.credentials {
		key.Hour -= key.Hour % hoursPerDay
		total := days[key]
		total.add(counts)
		days[key] = total
	}
	t.credentials = days
	if len(days) < before {
		log.Warn("usage of credentials folded to days: the bus has been away for long", "counters_before", before, "counters_after", len(days))
	}
	return folded + before - len(days)
}

func (t *tally) foldCounters(log *slog.Logger) (fewer int) {
	for _, fold := range folds {
		before := len(t.counters)
		if before <= pendingCounters {
			break
		}
		folded := make(map[Key]Counts)
		for key, counts := range t.counters {
			key = fold.into(key)
			total := folded[key]
			total.add(counts)
			folded[key] = total
		}
		t.counters = folded
		if len(folded) == before {
			continue
		}
		fewer += before - len(folded)
		log.Warn("usage folded: the bus has been away for long", "to", fold.to, "counters_before", before, "counters_after", len(folded))
	}
	return fewer
}

// minuteCap bounds the counters of a minute. It knows the latest minutes; what comes later than that is rare, and begins anew.
type minuteCap struct {
	seed    maphash.Seed
	minutes [2]struct {
		minute int64
		seen   map[uint64]struct{}
	}
}

func newMinuteCap() *minuteCap { return &minuteCap{seed: maphash.MakeSeed()} }

// admit returns the key under which a counter is kept.
func (c *minuteCap) admit(key Key) Key {
	seen := c.seen(key.Minute)
	if _, known := seen[maphash.Comparable(c.seed, key)]; known {
		return key
	}
	if len(seen) >= minuteVerdicts {
		key = withoutVerdict(key)
	}
	if len(seen) >= minuteCounters {
		if _, known := seen[maphash.Comparable(c.seed, key)]; known {
			return key
		}
		key = withoutRoute(key)
	}
	seen[maphash.Comparable(c.seed, key)] = struct{}{}
	return key
}

func (c *minuteCap) seen(minute int64) map[uint64]struct{} {
	slot := &c.minutes[uint64(minute)%uint64(len(c.minutes))]
	if slot.minute != minute || slot.seen == nil {
		slot.minute, slot.seen = minute, make(map[uint64]struct{})
	}
	return slot.seen
}

// limit returns a tally whose counters are within the bound, and how many were folded for it.
func (c *minuteCap) limit(t tally) (tally, int) {
	limited := tally{counters: make(map[Key]Counts, len(t.counters)), credentials: t.credentials}
	folded := 0
	for key, counts := range t.counters {
		kept := c.admit(key)
		if kept != key {
			folded++
		}
		limited.count(kept, counts)
	}
	return limited, folded
}
