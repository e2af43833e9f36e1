package ruleset

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

// engine is what the engine itself is told, after Coraza's own recommendation. How much of a body is inspected is decided before an engine gets it, so the
// limits are above the largest that there may be, and nothing is ever written to a disk.
//
// The prefilter of @rx stays off, whatever the engine was built with: it denies what patterns of the Core Rule Set match.
const engine = `SecRuleEngine On
SecRxPreFilter Off
SecRequestBodyAccess On
SecRequestBodyLimit 33554432
SecRequestBodyInMemoryLimit 33554432
SecRequestBodyLimitAction Reject
SecRequestBodyJsonDepthLimit 1024
SecResponseBodyAccess On
SecResponseBodyLimit 33554432
SecResponseBodyLimitAction Reject
SecUploadKeepFiles Off
SecArgumentsLimit ` + mostArguments + `
SecAuditEngine Off
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "^application/[a-z0-9.-]+[+]json" "id:200006,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "^(?:text/json|[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+[+]json)" "id:5900001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:Content-Type "^[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+[+]xml" "id:5900002,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecAction "id:5900003,phase:3,pass,t:none,nolog,ctl:forceResponseBodyVariable=On"
SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,t:none,log,deny,status:400,msg:'Failed to parse request body.',logdata:'%{reqbody_error_msg}',severity:2"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:200003,phase:2,t:none,log,deny,status:400,msg:'Multipart request body failed strict validation.',severity:2"
SecRule URI_PARSE_ERROR "@eq 1" "id:200009,phase:1,t:none,log,deny,status:400,msg:'URI failed to parse.',severity:2"
SecRule ARGUMENTS_LIMIT_REACHED "@eq 1" "id:200004,phase:1,t:none,log,deny,status:400,msg:'More arguments in the query than are inspected.',severity:2"
SecRule ARGUMENTS_LIMIT_REACHED "@eq 1" "id:200005,phase:2,t:none,log,deny,status:400,msg:'More arguments in the body than are inspected.',severity:2"
SecDefaultAction "phase:1,log,auditlog,pass"
SecDefaultAction "phase:2,log,auditlog,pass"
`

// Bookkeeping tells whether a rule that ran finds nothing: it sets up, marks or adds up.
func Bookkeeping(id int) bool {
	rule, known := knownRule(id)
	switch {
	case known:
		return rule.Bookkeeping
	case id == 200000, id == 200001, id == 200006, 900000 <= id && id <= 900999, firstInternal <= id && id < firstInternal+100:
		return true
	}
	_, _, own := Own(id)
	return own && (id-firstBefore)%perRule != 0
}

// setupVersion is what the Core Rule Set asks for, so that it knows that it was set up for its own version.
const setupVersion = "4250"

// usualMethods are those that a request may have unless it is said otherwise.
var usualMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// mostArguments is how many arguments the engine looks at, and so how many a request may have unless it is said otherwise.
const mostArguments = "1000"

// usualTypes are those that a body may have unless it is said otherwise: the Core Rule Set's own, and those of JSON that are in use. Each of
// them is read by a body processor.
var usualTypes = []string{
	"application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "application/xml", "application/soap+xml", "application/json",
	"application/cloudevents+json", "application/fhir+json", "application/geo+json",
	"application/hal+json", "application/json-patch+json", "application/ld+json", "application/merge-patch+json", "application/problem+json",
	"application/scim+json", "application/vnd.api+json",
}

// grpcTypes are those of gRPC, whose messages nothing reads.
var grpcTypes = []string{"application/grpc", "application/grpc+proto", "application/grpc+json"}

// setup sets the Core Rule Set up, as its own template does.
func setup(config *policyv1.Waf) string {
	protocol := config.GetProtocol()
	methods, types := slices.Sorted(slices.Values(protocol.GetMethods())), slices.Sorted(slices.Values(protocol.GetContentTypes()))
	if len(methods) == 0 {
		methods = usualMethods
	}
	if len(types) == 0 {
		types = usualTypes
	}
	if protocol.GetGrpc() {
		types = slices.Concat(types, grpcTypes)
	}
	arguments := mostArguments
	if protocol.GetMaxArguments() > 0 {
		arguments = strconv.FormatUint(uint64(protocol.GetMaxArguments()), 10)
	}
	var text strings.Builder
	set := func(id int, variables ...string) {
		fmt.Fprintf(&text, `SecAction "id:%d,phase:1,pass,t:none,nolog`, id)
		for _, variable := range variables {
			fmt.Fprintf(&text, `,setvar:'tx.%s'`, variable)
		}
		text.WriteString("\"\n")
	}
	set(900000, fmt.Sprintf("blocking_paranoia_level=%d", config.GetParanoiaLevel()))
	set(900110, fmt.Sprintf("inbound_anomaly_score_threshold=%d", config.GetInboundThreshold()),
		fmt.Sprintf("outbound_anomaly_score_threshold=%d", config.GetOutboundThreshold()))
	set(900115, "reporting_level=0")
	set(900200, "allowed_methods="+strings.Join(methods, " "))
	set(900220, "allowed_request_content_type=|"+strings.Join(types, "| |")+"|")
	set(900300, "max_num_args="+arguments)
	set(900990, "crs_setup_version="+setupVersion)
	return text.String()
}

// evaluation is the first of the Core Rule Set's files that doesn't look for anything, but adds up what was found. Rules that score run before it.
const evaluation = "REQUEST-949"

// includes are the Core Rule Set's files, those in front of the evaluation or from it on.
func includes(behind bool) string {
	var text strings.Builder
	for _, name := range files() {
		if (name >= evaluation) == behind {
			fmt.Fprintf(&text, "Include @owasp_crs/%s\n", name)
		}
	}
	return text.String()
}

// files are the names of the Core Rule Set's files of rules, in their order.
func files() []string {
	entries, err := fs.ReadDir(coreruleset.FS, "@owasp_crs")
	if err != nil {
		panic("the Core Rule Set isn't embedded: " + err.Error())
	}
	var names []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".conf") {
			names = append(names, entry.Name())
		}
	}
	return names // ReadDir sorts
}
