package pipeline

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestTextsStayWhatTheyWere(t *testing.T) {
	var pool Pool
	ex := pool.Get()
	var texts, want []string
	for i := range 200 {
		text := strings.Repeat(fmt.Sprint(i%10), i*i%3000)
		texts = append(texts, ex.TextDone(append(ex.TextBuffer(), text...)))
		want = append(want, text)
	}
	for i := range texts {
		if texts[i] != want[i] {
			t.Fatalf("text %d of %d bytes changed", i, len(want[i]))
		}
	}
}

func TestAPooledExchangeIsEmpty(t *testing.T) {
	var pool Pool
	ex := pool.Get()
	stripe := ex.Stripe()
	ex.Request.Method, ex.Request.Path = "GET", "/"
	ex.Request.Header.Add("Authorization", "secret")
	fields := ex.Request.Header.Fields()[:1]
	ex.Params = append(ex.Params, "x")
	ex.Quotas = append(ex.Quotas, Quota{Remaining: 1})
	ex.Dry, ex.ran = true, 3
	ex.Refuse(ex.Reject(problem.Internal, "detail", "reason"))
	ex.Answer()
	ex.Reset()
	if ex.Request.Method != "" || ex.Request.Header.Len() != 0 || ex.Rejection != nil || ex.Verdict != "" || ex.Dry || ex.ran != 0 ||
		len(ex.Params) != 0 || len(ex.Quotas) != 0 || ex.Response.Status != 0 || ex.Response.Body != nil || ex.Abort == nil {
		t.Fatalf("%+v", ex)
	}
	if fields[0].Value != "" {
		t.Fatal("a field's value is still in memory that the next request uses")
	}
	if ex.Stripe() != stripe {
		t.Fatal("the stripe changed")
	}
}

func TestPartsAreFoundAsLongAsSomebodyHoldsThem(t *testing.T) {
	var parts Parts
	made := 0
	get := func(content string) *[64]byte {
		part, err := Part(&parts, "sort", content, func() (*[64]byte, error) { made++; return new([64]byte), nil })
		if err != nil {
			t.Fatal(err)
		}
		return part
	}
	func() {
		one := get("1")
		if get("1") != one || get("2") == one || made != 2 {
			t.Fatalf("%d made", made)
		}
		runtime.KeepAlive(one)
	}()
	for range 100 {
		runtime.GC()
		if parts.Len() == 0 {
			break
		}
		runtime.Gosched()
	}
	get("1")
	if made != 3 {
		t.Fatalf("%d made: a part that nobody held was found", made)
	}
	if _, err := Part(&parts, "sort", "3", func() (*[64]byte, error) { return nil, fmt.Errorf("no") }); err == nil {
		t.Fatal("a part that could not be made")
	}
}

func TestPartsAreSafeForConcurrentUse(t *testing.T) {
	var parts Parts
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 200 {
				part, err := Part(&parts, "sort", fmt.Sprint(i%5), func() (*int, error) { n := i; return &n, nil })
				if err != nil || part == nil {
					t.Error(err)
				}
				if i%50 == g {
					runtime.GC()
				}
			}
		})
	}
	group.Wait()
}

func FuzzDecodedIsWhatURLsSay(f *testing.F) {
	f.Add("a%20b+c%c3%BC", "a b cü")
	f.Add("%", "%")
	f.Add("%2", "%2")
	f.Fuzz(func(t *testing.T, text, plain string) {
		decoded := string(AppendDecoded(nil, text))
		if want, err := url.QueryUnescape(text); err == nil && decoded != want {
			t.Errorf("%q reads %q, not %q", text, decoded, want)
		}
		if DecodedEqual(text, plain) != (decoded == plain) {
			t.Errorf("%q equal to %q: %v", text, plain, DecodedEqual(text, plain))
		}
		if DecodedHasPrefix(text, plain) != strings.HasPrefix(decoded, plain) {
			t.Errorf("%q begins with %q: %v", text, plain, DecodedHasPrefix(text, plain))
		}
	})
}

func TestHeaderNamesCompareWithoutCase(t *testing.T) {
	var h Header
	h.Add("X-One", "1")
	h.Add("x-two", "2")
	h.Add("X-ONE", "3")
	if h.Get("x-one") != "1" || !h.Has("X-TWO") || h.Has("X-Three") || h.Get("none") != "" {
		t.Fatalf("%v", h.Fields())
	}
	if EqualFold("a@b", "a`b") || EqualFold("[", "{") || EqualFold("a", "ab") || !EqualFold("aZ-9", "Az-9") {
		t.Fatal("not only letters are folded")
	}
	h.Set("x-ONE", "4")
	if h.Len() != 2 || h.Get("X-One") != "4" {
		t.Fatalf("%v", h.Fields())
	}
	h.Set("new", "5")
	h.DeleteFunc(func(f Field) bool { return f.Value == "2" })
	h.Del("NEW")
	if h.Len() != 1 {
		t.Fatalf("%v", h.Fields())
	}
}
