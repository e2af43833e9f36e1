package edgetest

import (
	"sync/atomic"
	"testing"
)

func TestLentMemoryIsFoundWhereverItIsKept(t *testing.T) {
	lent := new(Lent)
	kept := lent.Text("kept by somebody")
	type inner struct{ text any }
	type keeper struct {
		last  atomic.Pointer[inner]
		list  []inner
		index map[string]int
		whole []*[2]string
	}
	var keepers [4]keeper
	keepers[0].last.Store(&inner{text: kept[3:]})
	keepers[1].list = []inner{{1}, {text: kept[:4]}}
	keepers[2].index = map[string]int{kept: 1}
	keepers[3].whole = []*[2]string{nil, {1: kept}}
	for i := range keepers {
		if held := lent.Held(&keepers[i]); len(held) != 1 {
			t.Errorf("keeper %d holds %v", i, held)
		}
	}
	if held := lent.Held(&keeper{list: []inner{{text: "own"}}}); len(held) != 0 {
		t.Errorf("who keeps nothing holds %v", held)
	}
	if lent.Overwrite(); kept == "kept by somebody" {
		t.Error("the memory is as it was")
	}
}
