package configsync

import (
	"runtime"
	"testing"
)

func TestMemoryIsReturnedOnceANodeWithWholeStatesIsReady(t *testing.T) {
	dir := t.TempDir()
	p, configuration, entries := taught(t, dir)
	returned := make(chan bool, 8) // whether the node was ready
	n := start(t, p, keepingIn(t, dir), func(c *Config) {
		c.Grace = patience
		c.Compiler = preparing{prepare: func(s *Syncer) {
			s.returnMemory = func() {
				select {
				case <-s.Ready():
					returned <- true
				default:
					returned <- false
				}
			}
		}}
	})
	p.next(laneConfiguration).say(p.beat(configuration))
	d := p.next(laneDirectory)
	d.say(p.beat(entries))
	if !<-returned {
		t.Error("before the node is ready")
	}
	entries.number = 3
	d.sendSnapshot(p.sign(entries.head(p)), compress(t, entries.snapshot(t)), maxChunk)
	d.acked(3)
	if !<-returned {
		t.Error("not ready any more")
	}
	n.stop()
}

func TestWhatTheHeapNoLongerNeedsGoesBackToTheSystem(t *testing.T) {
	released := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapReleased
	}
	makeGarbage()
	before := released()
	returnMemory()
	if got := released(); got < before+worthReturning {
		t.Errorf("%d bytes are with the system, after %d", got, before)
	}
}

//go:noinline
func makeGarbage() {
	garbage := make([]byte, 2*worthReturning)
	for i := 0; i < len(garbage); i += 4096 {
		garbage[i] = 1
	}
	runtime.KeepAlive(garbage)
}
