package addressaccess_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/addressaccess"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const world = `
	"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
	"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}]`

func policy(name, mode, level, config string) string {
	return fmt.Sprintf(`{"name": %q, "kind": "address-access", "mode": %q, "config": %s, "attached_to": [%s]}`, name, mode, config, level)
}

func edge(t testing.TB, policies ...string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, addressaccess.Binding)
	e.Configure(t, `{`+world+`, "policies": [`+strings.Join(policies, ",")+`]}`)
	return e
}

const everywhere = `{"environment": true}`

func from(address string) edgetest.Request { return edgetest.Request{Address: address} }

// letIn fails the test unless exactly these addresses are let in.
func letIn(t *testing.T, e *edgetest.Edge, want map[string]bool) {
	t.Helper()
	for address, in := range want {
		ex := e.Do(from(address))
		if in != (ex.Verdict == pipeline.Allowed) || !in && (ex.Verdict != problem.AddressNotAllowed || ex.Response.Status != 403) {
			t.Errorf("%s: %s %d", address, ex.Verdict, ex.Response.Status)
		}
	}
}

func TestOnlyWhatIsAllowedAndNotDeniedComesIn(t *testing.T) {
	e := edge(t, policy("p", "enforce", everywhere, `{
		"allow": [{"range": "10.0.0.0/8"}, {"range": "2001:db8::/32"}, {"range": "192.0.2.7"}], "deny": [{"range": "10.6.6.0/24"}, {"range": "10.7.0.0/16"}]}`))
	letIn(t, e, map[string]bool{
		"10.0.0.1": true, "10.255.255.255": true, "11.0.0.0": false, "9.255.255.255": false, "10.6.6.6": false, "10.6.7.0": true, "10.7.200.1": false,
		"192.0.2.7": true, "192.0.2.8": false, "2001:db8::1": true, "2001:db9::": false, "::1": false, "0.0.0.0": false, "255.255.255.255": false,
	})
}

func TestWithoutAnythingAllowedOnlyTheDeniedStayOut(t *testing.T) {
	e := edge(t, policy("p", "enforce", everywhere, `{"deny": [{"range": "203.0.113.0/24"}]}`))
	letIn(t, e, map[string]bool{"203.0.113.9": false, "203.0.114.0": true, "2001:db8::1": true})
}

func TestAnAddressMappedIntoIPv6IsTheIPv4Address(t *testing.T) {
	e := edge(t, policy("p", "enforce", everywhere, `{"allow": [{"range": "10.0.0.0/8"}], "deny": [{"range": "10.6.6.6"}]}`))
	letIn(t, e, map[string]bool{
		"::ffff:10.0.0.1": true, "::ffff:10.6.6.6": false, "::ffff:11.0.0.1": false, "::10.0.0.1": false, "64:ff9b::10.0.0.1": false,
	})
	all := edge(t, policy("p", "enforce", everywhere, `{"deny": [{"range": "::/0"}]}`))
	letIn(t, all, map[string]bool{"::ffff:10.0.0.1": true, "::1": false, "10.0.0.1": true})
}

func TestPoliciesOfAllLevelsMustAgree(t *testing.T) {
	e := edge(t,
		policy("one", "enforce", everywhere, `{"allow": [{"range": "10.0.0.0/8"}]}`),
		policy("two", "enforce", `{"service": "s"}`, `{"deny": [{"range": "10.1.0.0/16"}]}`),
		policy("three", "enforce", `{"route": "r"}`, `{"allow": [{"range": "10.0.0.0/12"}, {"range": "192.0.2.0/24"}]}`))
	letIn(t, e, map[string]bool{"10.2.0.1": true, "10.1.0.1": false, "10.99.0.1": false, "192.0.2.1": false})
}

func TestInShadowEverybodyComesInAndIsCounted(t *testing.T) {
	e := edge(t, policy("p", "shadow", everywhere, `{"allow": [{"range": "10.0.0.0/8"}]}`))
	ex := e.Do(from("192.0.2.1"))
	if ex.Verdict != pipeline.Allowed || ex.ShadowVerdict != problem.AddressNotAllowed {
		t.Errorf("%s, in shadow %q", ex.Verdict, ex.ShadowVerdict)
	}
	if e.Count("address-access", pipeline.Shadow, problem.AddressNotAllowed) != 1 {
		t.Error("the verdict isn't counted")
	}
	off := edge(t, policy("p", "off", everywhere, `{"allow": [{"range": "10.0.0.0/8"}]}`))
	letIn(t, off, map[string]bool{"192.0.2.1": true})
}

func TestWhoseAddressIsNotKnownStaysOut(t *testing.T) {
	e := edge(t, policy("p", "enforce", everywhere, `{"deny": [{"range": "203.0.113.0/24"}]}`))
	ex := e.Exchange(edgetest.Request{})
	ex.Client.Address = netip.Addr{}
	if e.Run(ex); ex.Verdict != problem.AddressNotAllowed {
		t.Errorf("%s", ex.Verdict)
	}
}

func TestWhatTheContractRefusesIsNotCompiled(t *testing.T) {
	for _, config := range []*policyv1.AddressAccess{
		{}, {Allow: []*policyv1.AddressRange{{}}}, {Deny: []*policyv1.AddressRange{{Range: "10.0.0.1/8"}}}, {Allow: []*policyv1.AddressRange{{Range: "::ffff:10.0.0.1"}}},
	} {
		if _, err := addressaccess.Binding.Compile(pipeline.Env{}, config); err == nil {
			t.Errorf("compiled %v", config)
		}
	}
}

func TestALookUpAmongTwentyThousandDoesNotAllocate(t *testing.T) {
	config := new(policyv1.AddressAccess)
	for i := range 10_000 {
		config.Allow = append(config.Allow, &policyv1.AddressRange{Range: fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff)})
		config.Deny = append(config.Deny, &policyv1.AddressRange{Range: fmt.Sprintf("2001:db8:%x::/48", i+1)})
	}
	s, err := addressaccess.Binding.Compile(pipeline.Env{}, config)
	if err != nil {
		t.Fatal(err)
	}
	ex := new(pipeline.Exchange)
	ex.Client.Address = netip.MustParseAddr("::ffff:10.38.15.99")
	failed := false
	if n := testing.AllocsPerRun(100, func() { failed = failed || s.Request(ex) != nil }); n != 0 || failed {
		t.Errorf("%v allocations; refused: %v", n, failed)
	}
	ex.Client.Address = netip.MustParseAddr("2001:db8:1234::9")
	if s.Request(ex) == nil {
		t.Error("a denied address comes in")
	}
	if n := testing.AllocsPerRun(100, func() { _ = s.Request(ex) }); n != 0 {
		t.Errorf("a refusal makes %v allocations", n)
	}
}
