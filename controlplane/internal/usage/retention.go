package usage

import (
	"fmt"
	"time"
)

// How long what is kept: after the end of what a partition spans it is kept for so long, and then dropped.
const (
	KeepMinuteRows  = 48 * time.Hour
	KeepHourRows    = 400 * 24 * time.Hour
	KeepRequests    = 7 * 24 * time.Hour
	KeepCredentials = 90 * 24 * time.Hour // by the hour; last uses are kept for ever
	keepNames       = KeepHourRows + 31*24*time.Hour
)

const (
	// ahead is how far into the future partitions are made.
	ahead = 12 * time.Hour
	// maxAhead is how far a node's clock may be ahead of the database's, before it is taken to be wrong.
	maxAhead = time.Hour

	minutesPerHour = 60
	hoursPerDay    = 24
	minuteMs       = 60_000
	hourMs         = 60 * minuteMs
)

// table is one that is partitioned by time.
type table struct {
	name string
	unit time.Duration // of its time column, which counts from 1970
	keep time.Duration
	// begin returns when the partition of a time begins, and next when the one after that does.
	begin, next func(time.Time) time.Time
}

// tables are all of them.
func tables() []table {
	return []table{
		{"usage_minutes", time.Minute, KeepMinuteRows, every(6 * time.Hour), after(6 * time.Hour)},
		{"usage_hours", time.Hour, KeepHourRows, month, nextMonth},
		{"usage_credentials", time.Hour, KeepCredentials, month, nextMonth},
		{"usage_events", time.Millisecond, KeepRequests, every(24 * time.Hour), after(24 * time.Hour)},
		{"usage_findings", time.Millisecond, KeepRequests, every(24 * time.Hour), after(24 * time.Hour)},
	}
}

func every(d time.Duration) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return time.Unix(t.Unix()-t.Unix()%int64(d/time.Second), 0).UTC() }
}

func after(d time.Duration) func(time.Time) time.Time {
	return func(t time.Time) time.Time { return t.Add(d) }
}

func month(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func nextMonth(t time.Time) time.Time { return t.AddDate(0, 1, 0) }

// partitionTime is what a partition's name ends in: the hour (UTC) that it begins with.
const partitionTime = "2006010215"

// Partition is a part of a table, by time.
type Partition struct {
	Table, Name string
	From, To    int64 // [From, To), in the unit of the table's time column
}

// Wanted returns the partitions that there must be at a time: those of all that is kept, and of the near
// future. Whatever batch is taken at that time finds its place in them.
func Wanted(now time.Time) []Partition {
	var wanted []Partition
	for _, t := range tables() {
		for begin := t.begin(now.Add(-t.keep)); !begin.After(now.Add(ahead)); begin = t.next(begin) {
			wanted = append(wanted, Partition{
				Table: t.name, Name: t.name + "_" + begin.Format(partitionTime),
				From: begin.UnixMilli() / t.unit.Milliseconds(), To: t.next(begin).UnixMilli() / t.unit.Milliseconds(),
			})
		}
	}
	return wanted
}

// Expired returns those partitions, by name, of which nothing is to be kept at a time. One whose name can't
// be read stays.
func Expired(existing []string, now time.Time) []string {
	var expired []string
	for _, name := range existing {
		t, begin, err := parsePartition(name)
		if err == nil && !t.next(begin).After(now.Add(-t.keep)) {
			expired = append(expired, name)
		}
	}
	return expired
}

func parsePartition(name string) (table, time.Time, error) {
	for _, t := range tables() {
		if len(name) != len(t.name)+1+len(partitionTime) || name[:len(t.name)] != t.name {
			continue
		}
		begin, err := time.Parse(partitionTime, name[len(t.name)+1:])
		if err != nil {
			return table{}, time.Time{}, fmt.Errorf("partition %s: %w", name, err)
		}
		return t, begin, nil
	}
	return table{}, time.Time{}, fmt.Errorf("partition %s: of no table of usage", name)
}

// periods is what is kept at a time, as batches say times.
type periods struct {
	nowMinute, lastMinute, firstMinute, oldestMinute int64
	firstCredentialHour                              int64
	nowMs, firstEventMs                              int64
}

func periodsAt(now time.Time) periods {
	minute := func(t time.Time) int64 { return t.Unix() / 60 }
	oldest := minute(now.Add(-KeepHourRows))
	return periods{
		nowMinute: minute(now), lastMinute: minute(now.Add(maxAhead)),
		firstMinute:         minute(now.Add(-KeepMinuteRows)) + 1, // a whole one
		oldestMinute:        oldest - oldest%minutesPerHour + minutesPerHour,
		firstCredentialHour: now.Add(-KeepCredentials).Unix()/3600 + 1,
		nowMs:               now.UnixMilli(), firstEventMs: now.Add(-KeepRequests).UnixMilli(),
	}
}

// minute returns the minute that a counter counts in.
func (p periods) minute(said int64) (minute int64, moved bool) {
	if said < p.oldestMinute || said > p.lastMinute {
		return p.nowMinute, true
	}
	return said, false
}

// hour returns the hour that a credential's count counts in.
func (p periods) hour(said int64) (hour int64, moved bool) {
	if said < p.oldestMinute/minutesPerHour || said > p.lastMinute/minutesPerHour {
		return p.nowMinute / minutesPerHour, true
	}
	return said, false
}

// lastUse returns when a credential was used: at the time said when it can be, else in the hour that it
// counts in. It is never in the future, so that a wrong clock doesn't make a key look used for ever.
func (p periods) lastUse(saidMs, hour int64) time.Time {
	if saidMs < p.oldestMinute*minuteMs {
		saidMs = hour * hourMs
	}
	return time.UnixMilli(min(saidMs, p.nowMs)).UTC()
}
