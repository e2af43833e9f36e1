package controlplane_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// BenchmarkWriteUntilAllNodesAcked measures a POST with ?wait=: request, commit, delta to every node, verified, applied and acked there, told.
func BenchmarkWriteUntilAllNodesAcked(b *testing.B) {
	for _, nodes := range []int{2, 100, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			p := startPlane(b)
			p.fleet(nodes)
			var took durations
			for b.Loop() {
				begun := time.Now()
				answer := p.call(http.MethodPost, "/consumers?wait=30s", fmt.Sprintf(`{"name":"c%d"}`, len(took)))
				took = append(took, time.Since(begun))
				if want := fmt.Sprintf("%d/%d", nodes, nodes); answer.header.Get("Sallyport-Applied") != want {
					b.Fatalf("applied %q, want %s: %s", answer.header.Get("Sallyport-Applied"), want, answer.body)
				}
			}
			took.report(b)
		})
	}
}

// BenchmarkRevocationUntilNoNodeHoldsTheKey measures from the request until the last node has dropped the key.
func BenchmarkRevocationUntilNoNodeHoldsTheKey(b *testing.B) {
	const nodes = 100
	p := startPlane(b)
	fleet := p.fleet(nodes)
	p.call(http.MethodPost, "/consumers", `{"name":"app"}`)
	var took durations
	for b.Loop() {
		b.StopTimer()
		name := fmt.Sprintf("k%d", len(took))
		p.call(http.MethodPost, "/api-keys?wait=30s", fmt.Sprintf(`{"name":%q,"consumer":"app"}`, name))
		b.StartTimer()
		begun := time.Now()
		answer := p.call(http.MethodDelete, "/api-keys/"+name, "")
		took = append(took, fleet.reached(answer.sequence(b)).Sub(begun))
	}
	took.report(b)
}

// BenchmarkRestartWithAFleet measures a control plane that is killed and started again under 1,000 nodes: from its process's start until
// each of them has heard, on both lanes, that it is current; and the processor time that this cost the control plane.
func BenchmarkRestartWithAFleet(b *testing.B) {
	const nodes = 1000
	p := startPlane(b)
	fleet := p.fleet(nodes)
	var took durations
	var busy []time.Duration
	for b.Loop() {
		b.StopTimer()
		p.kill()
		fleet.forget()
		b.StartTimer()
		begun := time.Now()
		p.start()
		took = append(took, fleet.heard().Sub(begun))
		b.StopTimer()
		if used, known := p.processorTime(); known {
			busy = append(busy, used)
		}
		b.StartTimer()
	}
	took.report(b)
	if len(busy) > 0 {
		slices.Sort(busy)
		b.ReportMetric(float64(busy[len(busy)/2].Milliseconds()), "cpu-ms")
	}
}

// durations are what single runs took.
type durations []time.Duration

func (d durations) report(b *testing.B) {
	b.Helper()
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(d[len(d)*99/100].Microseconds())/1000, "p99-ms")
}
