package catalog

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/limits"
	"github.com/sallyport/sallyport/proto/problem"
)

// filled is an empty head that says it holds this much.
func filled(name string, used uint64) *Head {
	h := newHead()
	h.counts[name] = used
	return h
}

func TestAConfigurationCantGrowBeyondItsLimits(t *testing.T) {
	for _, name := range []string{Services, limits.ConfigurationBytes} {
		most, _ := limits.Most(name)
		c := filled(name, most).Candidate(now, lane{})
		stage(t, c, Services, `{"name":"one-more","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`)
		refusals, err := c.Check()
		if err != nil {
			t.Fatal(err)
		}
		refused := refusals.Err()
		if problem.CodeOf(refused) != problem.LimitReached || !strings.Contains(refused.Error(), "at most") {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

func TestTheHalfOfALimitIsWarnedOfOnce(t *testing.T) {
	most, _ := limits.Most(Services)
	for used, warned := range map[uint64]bool{most/2 - 2: false, most/2 - 1: true, most / 2: false} {
		c := filled(Services, used).Candidate(now, lane{})
		stage(t, c, Services, `{"name":"one-more","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`)
		refusals, err := c.Check()
		if err != nil || !refusals.Empty() {
			t.Fatal(err, refusals.Err())
		}
		if got := strings.Contains(strings.Join(c.Warnings(), "\n"), "services"); got != warned {
			t.Errorf("from %d: warned %v: %q", used, got, c.Warnings())
		}
	}
}

// What is kept along as objects come and go is what counting them all gives.
func TestCountsFollowTheObjects(t *testing.T) {
	h := newHead()
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		c := h.Candidate(now, lane{})
		ids = append(ids, stage(t, c, Services, `{"name":"`+name+`","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`))
		if refusals, err := c.Check(); err != nil || !refusals.Empty() {
			t.Fatal(err, refusals.Err())
		}
		h = c.Head()
	}
	h = h.edit()
	h.remove(ref{Services, ids[1]})
	h.remove(ref{Services, ids[1]})
	var bytes uint64
	for _, o := range h.Objects(Services) {
		bytes += uint64(len(o.Stored))
	}
	if h.Used(Services) != 2 || h.Used(limits.ConfigurationBytes) != bytes || bytes == 0 {
		t.Errorf("%d services of %d bytes; want 2 of %d", h.Used(Services), h.Used(limits.ConfigurationBytes), bytes)
	}
}
