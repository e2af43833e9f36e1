package issuers

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

const (
	control = configv1.FetchFrom_FETCH_FROM_CONTROL
	edge    = configv1.FetchFrom_FETCH_FROM_EDGE
	both    = configv1.FetchFrom_FETCH_FROM_BOTH
)

// running lets a registry work inside a bubble.
func (p *plane) running(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { _ = p.registry.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	synctest.Wait()
}

func TestAKeyIsGoodIfASourceShowsItAndNoneHasSeenItGo(t *testing.T) {
	p := start(t, both)
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	if p.keys.Set().Has(a.Thumbprint) || p.keys.Set().Len() != 0 {
		t.Error("keys that nobody has told of are good")
	}
	p.tell([]jwkKey{a})
	p.good("the control plane shows it", a)
	p.keys.saw([]jwkKey{b})
	p.good("the node has seen another", a, b)
	p.keys.saw([]jwkKey{a, b})
	p.good("both show it", a, b)
	p.keys.saw([]jwkKey{b})
	p.good("the node has seen it go, whatever the directory says", b)
	p.tell([]jwkKey{a, b, c})
	p.good("it is told of again, and another", b, c)
	p.keys.saw([]jwkKey{a, b})
	p.good("the issuer shows it again", a, b, c)
	p.tell([]jwkKey{a}, b)
	p.good("the control plane has seen one go that the node still sees", a)
	before := p.keys.Set()
	p.keys.saw([]jwkKey{a, b})
	p.tell([]jwkKey{a}, b)
	if p.keys.saw([]jwkKey{a, b}); p.keys.Set().Len() != before.Len() {
		t.Error("seeing the same again changes something")
	}
	p.tell(nil, a, b)
	p.good("all are gone")
}

func TestAThousandUnknownKeysCostAHandfulOfQuestions(t *testing.T) {
	for name, from := range map[string]configv1.FetchFrom{"control": control, "edge": edge, "both": both} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, from)
				p.show(nil, newKey(t, "a"))
				p.running(t)
				_, atStart := p.counts()
				for range 1000 {
					p.registry.Unknown(p.keys, "unknown")
					time.Sleep(10 * time.Millisecond)
				}
				asked, fetched := p.counts()
				if fetched -= atStart; asked > 5 || fetched > 5 || asked+fetched == 0 {
					t.Errorf("asked %d times and fetched %d times", asked, fetched)
				}
				if s := p.registry.Stats().Keys[0]; s.Unknown != 1000 || s.PutOff < 900 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// A rotation right behind another one mustn't wait for a pause that made-up keys are meant to have.
func TestALookThatBroughtAKeyDoesntPutOffTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, control)
		var all []jwkKey
		p.answer = func() (uint64, error) {
			if int(p.sequence) < len(all) { // the control plane writes what changed
				p.tell(all)
			}
			return p.sequence, nil
		}
		p.running(t)
		for n := range 3 {
			all = append(all, newKey(t, string(rune('a'+n))))
			if !p.registry.Wait(t.Context(), p.keys, p.keys.Set(), "unknown") {
				t.Fatalf("rotation %d isn't noticed", n)
			}
			synctest.Wait()
		}
		p.good("after three rotations", all...)
		if p.registry.Wait(t.Context(), p.keys, p.keys.Set(), "unknown") {
			t.Error("nothing is news")
		}
		synctest.Wait()
		if p.registry.Unknown(p.keys, "unknown") != nil {
			t.Error("a question in vain doesn't put off the next")
		}
	})
}

func TestOneQuestionServesAllWhoWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, control)
		p.answer = func() (uint64, error) {
			time.Sleep(300 * time.Millisecond)
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.sequence == 0 {
				p.tell([]jwkKey{newKey(t, "new")})
			}
			return p.sequence, nil
		}
		p.running(t)
		begun := time.Now()
		var waiting sync.WaitGroup
		for range 100 {
			waiting.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if !p.registry.Wait(ctx, p.keys, p.keys.Set(), "unknown") {
					t.Error("nothing new")
				}
			})
		}
		waiting.Wait()
		if took := time.Since(begun); took != 300*time.Millisecond {
			t.Errorf("waited %v for an answer of 300 ms", took)
		}
		if asked, _ := p.counts(); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		if s := p.registry.Stats(); s.Found != 100 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNobodyWaitsLongerThanTheyMayNorForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, both)
		p.show(errors.New("the issuer is down"))
		p.answer = func() (uint64, error) { time.Sleep(5 * time.Second); return 0, errors.New("too slow") }
		p.running(t)
		time.Sleep(time.Minute)
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if p.registry.Wait(ctx, p.keys, p.keys.Set(), "unknown") || time.Since(begun) != 200*time.Millisecond {
			t.Errorf("waited %v in vain", time.Since(begun))
		}
		time.Sleep(5 * time.Second) // the question has ended, and the next one isn't due yet
		begun = time.Now()
		if p.registry.Wait(t.Context(), p.keys, p.keys.Set(), "unknown") || time.Since(begun) != 0 {
			t.Errorf("waited %v though nobody is asked", time.Since(begun))
		}
		var waiting sync.WaitGroup
		time.Sleep(time.Minute)
		crowd, leave := context.WithCancel(t.Context())
		for range maxWaiting + 10 {
			waiting.Go(func() { p.registry.Wait(crowd, p.keys, p.keys.Set(), "unknown") })
		}
		synctest.Wait()
		if s := p.registry.Stats(); s.Crowded != 10 {
			t.Errorf("%d were too many, not 10", s.Crowded)
		}
		leave()
		waiting.Wait()
	})
}

func TestANodeFetchesAtItsIntervalAndKeepsWhatItHasWhileTheIssuerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, edge)
		a, b := newKey(t, "a"), newKey(t, "b")
		p.show(nil, a)
		p.running(t)
		p.good("at once", a)
		p.show(nil, a, b)
		time.Sleep(30 * time.Second)
		p.good("at the next look", a, b)
		p.show(errors.New("down"))
		time.Sleep(10 * time.Minute)
		p.good("down for long", a, b)
		_, before := p.counts()
		p.show(nil, b)
		time.Sleep(30 * time.Second)
		p.good("one is gone within a minute", b)
		if _, after := p.counts(); after == before || after > 60 {
			t.Errorf("%d looks in all, %d since it came back", after, after-before)
		}
		p.show(errNoKeys)
		time.Sleep(time.Second)
		p.good("an answer without keys may be a mishap", b)
		time.Sleep(2 * time.Minute)
		p.good("a lasting one is believed")
		p.set.Store(nil)
		p.registry.Changed()
		synctest.Wait()
		_, before = p.counts()
		time.Sleep(10 * time.Minute)
		if _, after := p.counts(); after != before {
			t.Error("an issuer that isn't trusted any more is asked on")
		}
	})
}

func TestAnUnknownKeyIsFetchedAtOnceByANodeThatMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, edge)
		a, b := newKey(t, "a"), newKey(t, "b")
		p.show(nil, a)
		p.running(t)
		time.Sleep(time.Second)
		p.show(nil, a, b)
		if ctx, cancel := context.WithTimeout(t.Context(), time.Second); !p.registry.Wait(ctx, p.keys, p.keys.Set(), "unknown") {
			cancel()
			t.Fatal("nothing new")
		} else {
			cancel()
		}
		p.good("asked", a, b)
		if asked, _ := p.counts(); asked != 0 {
			t.Error("the control plane was asked about an issuer that isn't its own")
		}
	})
}

func TestTokensOfAKeyThatIsGoneAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, control)
		key, private := newPair(t, "a")
		p.tell([]jwkKey{key})
		p.running(t)
		text := signed(t, private, `{"alg":"EdDSA","kid":"a"}`, `{"iss":"https://login.example","aud":"a","exp":4102444800,"sub":"s"}`)
		verified, err := verify(p.set.Load().Of(issuerID), text)
		if err != nil {
			t.Fatal(err)
		}
		p.registry.Tokens().Put(text, verified)
		p.tell(nil, key)
		if _, err := verify(p.set.Load().Of(issuerID), text); err == nil { // notices
			t.Error("a key that is gone verifies")
		}
		synctest.Wait()
		if s := p.registry.Tokens().Stats(); s.Entries != 0 || s.Dropped != 1 {
			t.Errorf("%+v", s)
		}
	})
}
