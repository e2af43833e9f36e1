package effects

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

// Fields of a service that compareService looks at, or that callers don't notice.
var serviceFields = []string{
	"/id", "/name", "/labels", "/team", "/description", "/upstream/targets", "/upstream/timeouts/connect", "/upstream/timeouts/response_head",
}

// compareService says that the requests of a service that has routes before and after go elsewhere, or are waited for differently.
func (c *comparison) compareService(e catalog.Edit) {
	if e.Before == nil || e.After == nil {
		return // it has no routes on one side
	}
	before, after := resource.Defaulted(e.Before.Message).(*configv1.Service), resource.Defaulted(e.After.Message).(*configv1.Service)
	all := compareTargets(e.After, before.GetUpstream(), after.GetUpstream())
	all = append(all, compareTimeouts(e.After, before.GetUpstream().GetTimeouts(), after.GetUpstream().GetTimeouts())...)
	if rest := beside(serviceFields, resource.Differences(before, after)); len(rest) > 0 {
		effect := of("upstream_changed", "", policy.Attention, e.After)
		effect.Fields = rest
		all = append(all, said{effect, fmt.Sprintf("The service %q of %%s changes: ", e.After.Name) + literal(strings.Join(rest, ", ")) + "."})
	}
	if len(all) == 0 {
		return
	}
	reach := catalog.ReachOf([]catalog.Edit{e}, catalog.Services)
	for route := range reach.Routes(c.after) {
		was, ok := c.before.Object(catalog.Routes, route.ID)
		if !ok || was.Service() != route.Service() {
			continue
		}
		for _, s := range all {
			c.say(s, route)
		}
	}
}

func compareTargets(service *catalog.Object, before, after *configv1.Upstream) []said {
	was, is := sharesOf(before.GetTargets()), sharesOf(after.GetTargets())
	if slices.Equal(was, is) {
		return nil
	}
	return []said{{
		of("targets_changed", "", policy.Attention, service),
		fmt.Sprintf("Requests to %%s go to %s instead of %s (service %q).", literal(inPercent(is)), literal(inPercent(was)), service.Name),
	}}
}

// share is how many of a service's requests go to an address: weight of the sum of all, in the least numbers.
type share struct {
	address string
	weight  uint64
}

// sharesOf returns what gets requests at all, in the order of addresses.
func sharesOf(targets []*configv1.Target) []share {
	weights, divisor := map[string]uint64{}, uint64(0)
	for _, t := range targets {
		weights[t.GetAddress()] += uint64(t.GetWeight())
	}
	for _, w := range weights {
		divisor = greatestDivisor(divisor, w)
	}
	var all []share
	for address, w := range weights {
		if w > 0 {
			all = append(all, share{address, w / divisor})
		}
	}
	slices.SortFunc(all, func(a, b share) int { return strings.Compare(a.address, b.address) })
	return all
}

func greatestDivisor(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// inPercent says shares in words.
func inPercent(shares []share) string {
	var sum uint64
	for _, s := range shares {
		sum += s.weight
	}
	list := make([]string, 0, maxDetails+1)
	for _, s := range shares[:min(len(shares), maxDetails)] {
		if len(shares) == 1 {
			return s.address
		}
		list = append(list, fmt.Sprintf("%s (%s %%)", s.address, strconv.FormatFloat(float64(s.weight)*100/float64(sum), 'g', 3, 64)))
	}
	switch more := len(shares) - maxDetails; {
	case len(shares) == 0:
		return "nowhere"
	case more > 0:
		list = append(list, fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", ")
}

func compareTimeouts(service *catalog.Object, before, after *configv1.Timeouts) []said {
	var all []said
	for _, t := range []struct {
		what    string
		was, is time.Duration
	}{
		{"a connection", before.GetConnect().AsDuration(), after.GetConnect().AsDuration()},
		{"the head of the answer", before.GetResponseHead().AsDuration(), after.GetResponseHead().AsDuration()},
	} {
		effect, verb := of("timeouts_shortened", "timeouts_lengthened", policy.Attention, service), "only "
		switch {
		case t.is == t.was:
			continue
		case t.is > t.was:
			effect, verb = of("timeouts_lengthened", "timeouts_shortened", policy.Info, service), ""
		}
		all = append(all, said{effect, fmt.Sprintf("For %s of the service %q the edge waits %s%s instead of %s on %%s.", t.what, service.Name, verb, t.is, t.was)})
	}
	return all
}

// quietSettings are fields of the settings that bind those who write configuration, not those who call.
var quietSettings = []string{"/id", "/name", "/labels", "/team", "/description", "/removal_percent", "/four_eyes"}

// compareSettings says which settings of the environment differ. One that was never written is as if it were empty.
func (c *comparison) compareSettings(e catalog.Edit) {
	before, after := proto.Message(new(configv1.EnvironmentSettings)), proto.Message(new(configv1.EnvironmentSettings))
	if e.Before != nil {
		before = e.Before.Message
	}
	if e.After != nil {
		after = e.After.Message
	}
	fields := beside(quietSettings, resource.Differences(resource.Defaulted(before), resource.Defaulted(after)))
	if len(fields) == 0 {
		return
	}
	effect := of("settings_changed", "", policy.Attention, e.Object())
	effect.Fields = fields
	c.say(said{effect, "Settings of the whole environment change: " + literal(strings.Join(fields, ", ")) + "."})
}
