package dataplane

import (
	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
)

// wafSamples tells of the WAF's engines, and of what they inspected.
func wafSamples(one func(metric string, value float64, labels ...string), counts waf.Counts) {
	one(admin.WafEngines, float64(counts.Engines))
	one(admin.WafCompiled, float64(counts.Compiled))
	one(admin.WafCompileSeconds, counts.Compiling.Seconds())
	if counts.Compiled > 0 {
		if bytes, known := waf.Memory(); known {
			one(admin.WafEngineBytes, float64(bytes))
		}
	}
	one(admin.WafSeconds, counts.Inspecting.Seconds())
	for part, verdicts := range counts.Inspections {
		for verdict, n := range verdicts {
			one(admin.WafInspections, float64(n), part.String(), verdict.String())
		}
		one(admin.WafBytes, float64(counts.Bytes[part]), part.String())
	}
}
