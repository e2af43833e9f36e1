package waf_test

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	waf "github.com/sallyport/sallyport/dataplane/internal/policies/waf"
	engines "github.com/sallyport/sallyport/dataplane/internal/waf"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// asked is a request of a benchmark.
type asked struct {
	method, target, body string
	fields               []string
}

// cases are those that the cost of WAFs is compared by: what a browser asks, an API's client, JSON of two sizes, a form, an attack.
func cases() map[string]asked {
	browser := []string{
		"Connection: keep-alive", `Sec-Ch-Ua: "Chromium";v="131", "Not_A Brand";v="24"`, "Sec-Ch-Ua-Mobile: ?0", `Sec-Ch-Ua-Platform: "Linux"`, "Upgrade-Insecure-Requests: 1",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate",
		"Sec-Fetch-User: ?1", "Sec-Fetch-Dest: document", "Referer: https://shop.example.com/products?page=2", "Accept-Encoding: gzip, deflate, br", "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
		"Cookie: session=8c6f3f2d9b0e4a71; theme=dark; _ga=GA1.2.1234567890.1234567890; consent=yes; cart=3", "Cache-Control: max-age=0",
	}
	api := []string{"User-Agent: okhttp/4.12.0", "Accept: application/json", "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("eyJzdWIiOiIxMjM0", 40) + ".c2lnbmF0dXJl"}
	typed := func(media string) []string {
		return append([]string{"Content-Type: " + media}, api[:2]...)
	}
	item := `{"sku": "A-%d", "title": "A good book, with pictures", "quantity": %d, "price": 9.99, "notes": "Leave it at the door, please"}`
	jsonOf := func(n int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(item, i, i)
		}
		return `{"items": [` + strings.Join(items, ",") + `]}`
	}
	var form []string
	for i := range 12 {
		form = append(form, fmt.Sprintf("field%d=some+text+of+a+person+%d", i, i))
	}
	return map[string]asked{
		"a browser GET":   {"GET", "/products?page=2&sort=price&color=red&q=winter+shoes", "", browser},
		"b API GET":       {"GET", "/v1/orders/4711", "", api},
		"c JSON 1 KB":     {"POST", "/v1/orders", jsonOf(8), typed("application/json")},
		"d JSON 10 KB":    {"POST", "/v1/orders", jsonOf(80), typed("application/json")},
		"e form":          {"POST", "/contact", strings.Join(form, "&"), typed("application/x-www-form-urlencoded")},
		"f SQL injection": {"GET", injected, "", browser},
	}
}

func (a asked) exchange(e *edgetest.Edge) *pipeline.Exchange {
	r := edgetest.Get(a.target, a.fields...)
	r.Method = a.method
	if a.body != "" {
		r.Header = append(r.Header, pipeline.Field{Name: "Content-Length", Value: fmt.Sprint(len(a.body))})
	}
	ex := e.Exchange(r)
	ex.Request.Body, ex.Request.ContentLength = strings.NewReader(a.body), int64(len(a.body))
	return ex
}

// What a request costs with the WAF, and without ("off").
func BenchmarkRequest(b *testing.B) {
	for _, mode := range []string{"off", "enforce"} {
		e := edge(b, mode, `{}`)
		all := cases()
		for name, a := range all {
			b.Run(name+"/"+mode, func(b *testing.B) { measure(b, e, a) })
		}
		// Of ten well-behaved requests five are a browser's, three an API's, one a form and one JSON.
		b.Run("mix/"+mode, func(b *testing.B) {
			measure(b, e, all["a browser GET"], all["b API GET"], all["a browser GET"], all["b API GET"], all["a browser GET"], all["e form"], all["a browser GET"],
				all["b API GET"], all["a browser GET"], all["c JSON 1 KB"])
		})
	}
}

func measure(b *testing.B, e *edgetest.Edge, all ...asked) {
	b.Helper()
	b.ReportAllocs()
	start := processorTime(b)
	for i := 0; b.Loop(); i++ {
		ex := all[i%len(all)].exchange(e)
		e.Run(ex)
		ex.Reset()
	}
	b.ReportMetric(float64((processorTime(b)-start).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processorTime is what the process has used: on a machine that others use too, wall time tells about them.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// What the first engine of a process takes, and each further one of other settings.
func BenchmarkEngine(b *testing.B) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var kept []engines.Engine
	n := uint32(5)
	one := func() {
		n++
		rules, err := ruleset.Compose(&policyv1.Waf{ParanoiaLevel: proto.Uint32(1), InboundThreshold: &n, OutboundThreshold: proto.Uint32(4)})
		if err != nil {
			b.Fatal(err)
		}
		made, err := engines.Compile(rules)
		if err != nil {
			b.Fatal(err)
		}
		kept = append(kept, made)
	}
	before, begun := heap(), time.Now()
	one()
	first, took := heap()-before, time.Since(begun)
	before = heap()
	start := processorTime(b)
	for b.Loop() {
		one()
	}
	b.ReportMetric(float64((processorTime(b)-start).Microseconds())/float64(b.N)/1000, "cpu-ms/further")
	b.ReportMetric(float64(first)/(1<<20), "MiB-first")
	b.ReportMetric(float64(took.Milliseconds()), "ms-first")
	b.ReportMetric(float64(heap()-before)/float64(b.N)/(1<<20), "MiB/further")
	if sampled, known := engines.Memory(); known {
		b.ReportMetric(float64(sampled)/(1<<20), "MiB-sampled-all")
	}
	runtime.KeepAlive(kept)
}

// A configuration of 100 routes with policies of 5 distinct settings, from nothing.
func BenchmarkHundredRoutes(b *testing.B) {
	for b.Loop() {
		e := edgetest.New(b, waf.Binding)
		var routes, policies []string
		for i := range 100 {
			routes = append(routes, fmt.Sprintf(`{"name": "r-%d", "service": "s", "paths": [{"prefix": "/%d"}], "public": true}`, i, i))
			policies = append(policies, fmt.Sprintf(`{"name": "w-%d", "kind": "waf", "attached_to": [{"route": "r-%d"}], "config": {"inbound_threshold": %d}}`, i, i, 5+i%5))
		}
		e.Configure(b, `{"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}], "routes": [`+strings.Join(routes, ",")+`], "policies": [`+strings.Join(policies, ",")+`]}`)
	}
}
