package limits

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/resource"
)

func TestEveryCollectionThatCanGrowHasALimit(t *testing.T) {
	for _, kept := range resource.Types() {
		if _, limited := Most(kept.Collection); !limited && !kept.Singleton {
			t.Errorf("the collection %s of the configuration can grow without a bound", kept.Collection)
		}
	}
	for _, kept := range directory.Types() {
		if _, limited := Most(kept.Collection); !limited {
			t.Errorf("the collection %s of the directory can grow without a bound", kept.Collection)
		}
	}
}

func TestTheAlarmComesAtHalf(t *testing.T) {
	for _, c := range []struct {
		used               uint64
		alarming, exceeded bool
	}{{0, false, false}, {4, false, false}, {5, true, false}, {9, true, false}, {10, true, true}} {
		l := Limit{Name: "routes", Used: c.used, Most: 9}
		if l.Alarming() != c.alarming || l.Exceeded() != c.exceeded {
			t.Errorf("%v: alarming %v, exceeded %v", l, l.Alarming(), l.Exceeded())
		}
	}
	if said := (Limit{Name: "api-keys", Used: 7, Most: 9}).String(); !strings.Contains(said, "7 of at most 9 api keys") {
		t.Error(said)
	}
}
