package waf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/experimental/plugins"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy/waf"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// hostile is raw SecLang that must not pass, and what is said of it.
var hostile = []struct{ name, text, says string }{
	// Directives that reach beyond the rules.
	{"engine off", `SecRuleEngine Off`, "isn't allowed"},
	{"engine off, in another case", `sEcRuLeEnGiNe Off`, "isn't allowed"},
	{"engine off, on two lines", "SecRule\\\nEngine Off", "isn't allowed"},
	{"engine off, behind a comment in a continued line", "SecRule\\\n# nothing\nEngine Off", "isn't allowed"},
	{"engine off, behind a tab", "SecRuleEngine\tOff", "control character"},
	{"engine off, quoted", `"SecRuleEngine" Off`, "isn't allowed"},
	{"engine off, behind a blank of another kind", "SecRuleEngine Off", "isn't allowed"},
	{"bodies off", `SecRequestBodyAccess Off`, "isn't allowed"},
	{"a limit", `SecRequestBodyLimit 1`, "isn't allowed"},
	{"include", `Include /etc/passwd`, "isn't allowed"},
	{"include, in another case", `iNCLUDE @owasp_crs/*.conf`, "isn't allowed"},
	{"include on two lines", "Inc\\\nlude /etc/passwd", "isn't allowed"},
	{"remote rules", `SecRemoteRules key https://example.com/rules`, "isn't allowed"},
	{"audit log", `SecAuditLog /tmp/audit.log`, "isn't allowed"},
	{"audit engine", `SecAuditEngine On`, "isn't allowed"},
	{"debug log", `SecDebugLog /tmp/debug.log`, "isn't allowed"},
	{"debug level", `SecDebugLogLevel 9`, "isn't allowed"},
	{"data directory", `SecDataDir /tmp`, "isn't allowed"},
	{"uploads kept", `SecUploadKeepFiles On`, "isn't allowed"},
	{"uploads elsewhere", `SecUploadDir /etc`, "isn't allowed"},
	{"errors ignored", `SecIgnoreRuleCompilationErrors On`, "isn't allowed"},
	{"default action", `SecDefaultAction "phase:1,pass"`, "isn't allowed"},
	{"actions of others", `SecRuleUpdateActionById 949110 "pass"`, "isn't allowed"},
	{"script", `SecRuleScript /tmp/x.lua "id:1"`, "isn't allowed"},
	{"by message", `SecRuleRemoveByMsg "Inbound Anomaly Score Exceeded"`, "isn't allowed"},
	{"dataset", "SecDataset words `\nx\n`", "isn't allowed"},
	{"prefilter", `SecRxPreFilter On`, "isn't allowed"},
	{"signature", `SecServerSignature x`, "isn't allowed"},
	// Operators that reach beyond the request.
	{"a program", `SecRule ARGS "@inspectFile /bin/sh" "id:1,phase:2,deny"`, `operator "@inspectFile"`},
	{"a program, not", `SecRule ARGS "!@inspectFile /bin/sh" "id:1,phase:2,deny"`, `operator "@inspectFile"`},
	{"a program, in another case", `SecRule ARGS "@InspectFile /bin/sh" "id:1,phase:2,deny"`, `operator "@InspectFile"`},
	{"a program, behind blanks", `SecRule ARGS "   @inspectFile /bin/sh" "id:1,phase:2,deny"`, `operator "@inspectFile"`},
	{"a program, on two lines", "SecRule ARGS \"@inspect\\\nFile /bin/sh\" \"id:1,phase:2,deny\"", `operator "@inspectFile"`},
	{"a program, on two lines with a comment between", "SecRule ARGS \"@inspect\\\n   # x\nFile /bin/sh\" \"id:1,phase:2,deny\"", `operator "@inspectFile"`},
	{"a file of words", `SecRule ARGS "@pmFromFile /etc/passwd" "id:1,phase:2,deny"`, `operator "@pmFromFile"`},
	{"a file of words, short", `SecRule ARGS "@pmf /etc/passwd" "id:1,phase:2,deny"`, `operator "@pmf"`},
	{"a file of the rule set's", `SecRule ARGS "@pmFromFile @owasp_crs/lfi-os-files.data" "id:1,phase:2,deny"`, `operator "@pmFromFile"`},
	{"a file of addresses", `SecRule REMOTE_ADDR "@ipMatchFromFile x" "id:1,phase:1,deny"`, `operator "@ipMatchFromFile"`},
	{"a file of addresses over the net", `SecRule REMOTE_ADDR "@ipMatchF https://example.com" "id:1,phase:1,deny"`, `operator "@ipMatchF"`},
	{"the network", `SecRule REMOTE_ADDR "@rbl dnsbl.example.com" "id:1,phase:1,deny"`, `operator "@rbl"`},
	{"places", `SecRule REMOTE_ADDR "@geoLookup" "id:1,phase:1,deny"`, `operator "@geoLookup"`},
	{"a schema", `SecRule XML "@validateSchema /etc/x.xsd" "id:1,phase:2,deny"`, `operator "@validateSchema"`},
	{"a hash", `SecRule REQUEST_BODY "@fuzzyHash x 1" "id:1,phase:2,deny"`, `operator "@fuzzyHash"`},
	{"a dataset's words", `SecRule ARGS "@pmFromDataset words" "id:1,phase:2,deny"`, `operator "@pmFromDataset"`},
	{"no operator", `SecRule ARGS "@" "id:1,phase:2,deny"`, `operator "@"`},
	// Actions that reach beyond the request, or say what others shall do.
	{"exec", `SecAction "id:1,phase:1,pass,exec:/bin/sh"`, `action "exec"`},
	{"exec, in another case and quoted", `SecAction "id:1,phase:1,pass,ExEc:'/bin/sh'"`, `action "exec"`},
	{"exec, behind blanks", `SecAction "id:1,phase:1,pass ,  exec : /bin/sh"`, `action "exec"`},
	{"exec, on two lines", "SecAction \"id:1,phase:1,pass,ex\\\nec:/bin/sh\"", `action "exec"`},
	{"exec, behind an escaped quote", `SecAction "id:1,phase:1,pass,msg:'a\',exec:/bin/sh,tag:'b'"`, ``},
	{"environment", `SecAction "id:1,phase:1,pass,setenv:PATH=/tmp"`, `action "setenv"`},
	{"proxy", `SecAction "id:1,phase:1,proxy:http://example.com"`, `action "proxy"`},
	{"redirect", `SecAction "id:1,phase:1,redirect:http://example.com"`, `action "redirect"`},
	{"drop", `SecAction "id:1,phase:1,drop"`, `action "drop"`},
	{"collections", `SecAction "id:1,phase:1,pass,initcol:global=x"`, `action "initcol"`},
	{"expiry", `SecAction "id:1,phase:1,pass,expirevar:ip.x=1"`, `action "expirevar"`},
	{"a skip that counts rules", `SecAction "id:1,phase:1,pass,skip:1"`, `action "skip"`},
	{"a skip to nowhere", `SecAction "id:1,phase:1,pass,skipAfter:NOWHERE"`, "no SecMarker"},
	{"a skip backwards", "SecMarker A\nSecAction \"id:1,phase:1,pass,skipAfter:A\"", "no SecMarker"},
	{"a skip over the rule set", `SecAction "id:1,phase:1,pass,skipAfter:END-RESPONSE-980-CORRELATION"`, "no SecMarker"},
	{"phase of logs", `SecAction "id:1,phase:5,pass"`, "phase"},
	{"ctl engine", `SecAction "id:1,phase:1,pass,ctl:ruleEngine=Off"`, `can't change "ruleEngine"`},
	{"ctl engine, quoted", `SecAction "id:1,phase:1,pass,ctl:'ruleEngine=Off'"`, `can't change "ruleEngine"`},
	{"ctl engine, in another case", `SecAction "id:1,phase:1,pass,CTL:RuleEngine=Off"`, `can't change "RuleEngine"`},
	{"ctl audit", `SecAction "id:1,phase:1,pass,ctl:auditEngine=Off"`, `can't change "auditEngine"`},
	{"ctl audit parts", `SecAction "id:1,phase:1,pass,ctl:auditLogParts=+E"`, `can't change "auditLogParts"`},
	{"ctl bodies", `SecAction "id:1,phase:1,pass,ctl:requestBodyAccess=Off"`, `can't change "requestBodyAccess"`},
	{"ctl limit", `SecAction "id:1,phase:1,pass,ctl:requestBodyLimit=1073741824"`, `can't change "requestBodyLimit"`},
	{"ctl answers", `SecAction "id:1,phase:3,pass,ctl:responseBodyAccess=Off"`, `can't change "responseBodyAccess"`},
	{"ctl debug", `SecAction "id:1,phase:1,pass,ctl:debugLogLevel=9"`, `can't change "debugLogLevel"`},
	{"ctl all rules", `SecAction "id:1,phase:1,pass,ctl:ruleRemoveByTag=OWASP_CRS"`, "others need"},
	{"ctl bookkeeping", `SecAction "id:1,phase:1,pass,ctl:ruleRemoveById=949110"`, "others need"},
	{"ctl bookkeeping in a range", `SecAction "id:1,phase:1,pass,ctl:ruleRemoveById=900000-999999"`, "others need"},
	{"ctl by message", `SecAction "id:1,phase:1,pass,ctl:ruleRemoveByMsg=x"`, `can't change "ruleRemoveByMsg"`},
	{"ctl processor", `SecAction "id:1,phase:1,pass,ctl:requestBodyProcessor=RAW"`, "must be"},
	{"bookkeeping removed", `SecRuleRemoveById 949110`, "finds nothing"},
	{"no rule removed", `SecRuleRemoveById 1`, "there is no rule"},
	{"a rule of nobody's updated", `SecRuleUpdateTargetById 1 "!ARGS:x"`, "there is no rule"},
	{"a protected variable", `SecAction "id:1,phase:1,pass,setvar:tx.inbound_anomaly_score_threshold=9999"`, "own fields"},
	{"a protected variable, in another case", `SecAction "id:1,phase:1,pass,setvar:'TX.Blocking_Paranoia_Level=0'"`, "own fields"},
	{"a variable whose name is expanded", `SecAction "id:1,phase:1,pass,setvar:tx.%{ARGS.x}=1"`, "must be of the form"},
	{"a variable elsewhere", `SecAction "id:1,phase:1,pass,setvar:ip.x=1"`, "must be of the form"},
	// What rules see.
	{"environment seen", `SecRule ENV:PATH "@rx ." "id:1,phase:1,deny"`, `variable "ENV"`},
	{"environment told", `SecAction "id:1,phase:1,pass,logdata:'%{ENV.PATH}'"`, `expands "ENV.PATH"`},
	{"environment told, in another case", `SecAction "id:1,phase:1,pass,msg:'%{env.PATH}'"`, `expands "env.PATH"`},
	{"environment compared", `SecRule ARGS "@streq %{ENV.SECRET}" "id:1,phase:2,deny"`, `expands "ENV.SECRET"`},
	{"temporary files seen", `SecRule FILES_TMPNAMES "@rx ." "id:1,phase:2,deny"`, `variable "FILES_TMPNAMES"`},
	{"temporary files' content", `SecRule FILES_TMP_CONTENT "@rx ." "id:1,phase:2,deny"`, `variable "FILES_TMP_CONTENT"`},
	{"places seen", `SecRule GEO:COUNTRY_CODE "@rx ." "id:1,phase:2,deny"`, `variable "GEO"`},
	// Ids and form.
	{"an id of the rule set's", `SecAction "id:942100,phase:1,pass"`, "must be a number"},
	{"an id of the typed rules'", `SecAction "id:5000000,phase:1,pass"`, "must be a number"},
	{"an id of the setup's", `SecAction "id:200002,phase:1,pass"`, "must be a number"},
	{"an id with zeroes", `SecAction "id:0000000001,phase:1,pass"`, "must be a number"},
	{"no id", `SecAction "phase:1,pass"`, "has no id"},
	{"an id twice", "SecAction \"id:1,phase:1,pass\"\nSecAction \"id:1,phase:1,pass\"", "as the rule in line 1"},
	{"an open chain", `SecRule ARGS "x" "id:1,phase:2,deny,chain"`, "chain isn't finished"},
	{"an open chain behind a marker", "SecRule ARGS \"x\" \"id:1,phase:2,deny,chain\"\nSecMarker A", "stands within a chain"},
	{"a link that refuses", "SecRule ARGS \"x\" \"id:1,phase:2,pass,chain\"\nSecRule ARGS \"y\" \"deny\"", "first rule of a chain"},
	{"two ends", `SecAction "id:1,phase:1,pass,deny"`, "twice"},
	{"an open quote", `SecAction "id:1,phase:1,pass,msg:'x"`, "isn't closed"},
	{"an open double quote", `SecRule ARGS "x`, "isn't closed"},
	{"nothing quoted", `SecRule ARGS x id:1`, "double quotes"},
	{"a last line that goes on", "SecMarker A\\", "nothing follows"},
	{"a control character", "SecMarker A\x00", "control character"},
	{"a pattern that isn't one", `SecRule ARGS "@rx (" "id:1,phase:2,deny"`, "missing closing"},
	{"a pattern that costs too much", `SecRule ARGS "@rx (?:abcdefgh){1000}" "id:1,phase:2,deny"`, "costs too much"},
	{"a name's pattern that costs too much", `SecRule ARGS:/(?:abcdefgh){1000}/ "@rx x" "id:1,phase:2,deny"`, "costs too much"},
	{"patterns that cost too much together", strings.Join(expensive(20), "\n"), "cost too much together"},
	{"too many rules", strings.Join(several(129), "\n"), "has 129 rules"},
	{"a line that is too long", `SecRule ARGS "@pm ` + strings.Repeat("x", 17<<10) + `" "id:1,phase:2,deny"`, "longer than"},
	{"too many transformations", `SecRule ARGS "@rx x" "id:1,phase:2,deny` + strings.Repeat(",t:lowercase", 100) + `"`, "has 103 actions"},
	{"addresses that aren't", `SecRule REMOTE_ADDR "@ipMatch 10.0.0.0/8, nowhere" "id:1,phase:1,deny"`, "neither an address"},
	{"what the engine alone refuses", `SecRule ARGS "@validateByteRange 999" "id:1,phase:2,deny"`, "the engine refuses it"},
}

func expensive(n int) []string {
	all := several(n)
	for i := range all {
		all[i] = strings.Replace(all[i], "SecAction ", `SecRule ARGS "@rx (?:abcdefgh[^x]){300}" `, 1)
	}
	return all
}

func several(n int) []string {
	var all []string
	for i := range n {
		all = append(all, `SecAction "id:`+string(rune('1'+i/100))+string(rune('0'+i/10%10))+string(rune('0'+i%10))+`,phase:1,pass,nolog"`)
	}
	return all
}

// benign is raw SecLang that must pass.
var benign = []string{
	"",
	"# nothing but a comment\n\n",
	`SecMarker "A"`,
	`SecAction "id:1,phase:1,nolog,pass,setvar:tx.mine=1"`,
	`SecRule ARGS "attack" "id:1,phase:2,deny"`,
	`secrule ARGS "!attack" "ID:1,Phase:2,DENY,status:406"`,
	`SecRule ARGS|!ARGS:safe|&REQUEST_HEADERS:Host|REQUEST_HEADERS:/^x-(a|b)/|XML:/* "@rx \"quoted\" and \\d+ and ' and %{2}" "id:1,phase:2,t:none,t:urlDecodeUni,multiMatch,capture,msg:'it: says, so',logdata:'%{MATCHED_VAR_NAME}: %{TX.0}',severity:'CRITICAL',setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"`,
	"SecRule REQUEST_METHOD \"@streq POST\" \\\n  \"id:1,phase:1,pass,nolog,\\\n  skipAfter:END\"\nSecAction \"id:2,phase:1,deny\"\nSecMarker END",
	"SecRule REQUEST_URI \"@beginsWith /a\" \"id:1,phase:1,pass,chain\"\n# in between\n  SecRule REMOTE_ADDR \"@ipMatch 10.0.0.0/8,192.0.2.1\" \"t:none,ctl:ruleRemoveById=942100,ctl:ruleRemoveTargetById=942100-942199;ARGS:/^json\\.a\\.\\d+$/,ctl:ruleRemoveTargetByTag=attack-sqli;REQUEST_COOKIES:session\"",
	`SecRule REQUEST_HEADERS:Content-Type "@contains ndjson" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON,ctl:forceRequestBodyVariable=On"`,
	"SecRuleRemoveById 942100 942110-942130\nSecRuleRemoveByTag attack-injection-php\nSecRuleUpdateTargetById 941100 \"!ARGS:html\"\nSecRuleUpdateTargetByTag attack-rce \"!REQUEST_COOKIES:/^_x/\"",
	`SecRule RESPONSE_STATUS "@rx ^5" "id:1,phase:3,pass,log"`,
	`SecRule ARGS "@validateByteRange 32-126" "id:1,phase:2,deny"`,
}

func TestHostileSecLangIsRefused(t *testing.T) {
	watched := watch(t)
	if len(hostile) < 40 {
		t.Fatalf("only %d", len(hostile))
	}
	for _, tt := range hostile {
		for _, config := range []*policyv1.Waf{{SeclangBefore: tt.text}, {SeclangAfter: tt.text}} {
			violations := waf.Kind.Validate(config)
			if !slices.ContainsFunc(violations, func(v problem.Violation) bool { return strings.Contains(v.Detail, tt.says) }) {
				t.Errorf("%s: %v", tt.name, violations)
			}
		}
	}
	watched.none(t)
}

func TestOrdinarySecLangPasses(t *testing.T) {
	watched := watch(t)
	for _, text := range benign {
		for _, config := range []*policyv1.Waf{{SeclangBefore: text}, {SeclangAfter: text}} {
			if violations := waf.Kind.Validate(config); len(violations) > 0 {
				t.Errorf("%s\n%v", text, violations)
			}
			loads(t, config)
		}
	}
	watched.none(t)
}

// FuzzRawSecLang: what passes compiles, whatever it is; nothing that is forbidden is ever made, whether it passes or not; and each rule that comes of it has
// an id that raw rules may have.
func FuzzRawSecLang(f *testing.F) {
	watched := watch(f)
	for _, tt := range hostile {
		if len(tt.text) < 2000 {
			f.Add(tt.text)
		}
	}
	for _, text := range benign {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4<<10 {
			return
		}
		config := &policyv1.Waf{SeclangAfter: text}
		if len(waf.Kind.Validate(config)) == 0 {
			loads(t, config)
		}
		watched.none(t)
	})
}

// loads has the engine load what a configuration adds to the Core Rule Set.
func loads(t *testing.T, config *policyv1.Waf) {
	t.Helper()
	rules, err := ruleset.Compose(config)
	if err != nil {
		t.Fatalf("%v\n%s", err, config)
	}
	observed := experimental.WAFConfigWithRuleObserver(coraza.NewWAFConfig().WithRootFS(rules.FS()), func(r types.RuleMetadata) {
		if id := r.ID(); id > 99_999 && !ruleset.Bookkeeping(id) && (id < 200_000 || id > 200_999) {
			t.Errorf("a rule has the id %d\n%s", id, r.Raw())
		}
	})
	engine, err := coraza.NewWAF(observed.WithDirectives(rules.Own()))
	if err != nil {
		t.Fatalf("%v\n%s", err, rules.Own())
	}
	if err := engine.(experimental.WAFCloser).Close(); err != nil {
		t.Error(err)
	}
}

// watcher notes what the engine makes that raw rules must not have.
type watcher struct{ made []string }

func (w *watcher) none(t *testing.T) {
	t.Helper()
	if len(w.made) > 0 {
		t.Errorf("the engine made %q", w.made)
		w.made = nil
	}
}

// watch puts something that tells in the place of each operator and action that is forbidden. The engine's registry is the process's.
func watch(testing.TB) *watcher {
	w := &watched
	for _, name := range []string{
		"inspectFile", "InspectFile", "rbl", "geoLookup", "fuzzyHash", "pmFromFile", "pmf", "ipMatchFromFile", "ipMatchF", "pmFromDataset",
		"ipMatchFromDataset", "validateSchema", "restpath",
	} {
		plugins.RegisterOperator(name, func(plugintypes.OperatorOptions) (plugintypes.Operator, error) {
			w.made = append(w.made, "@"+name)
			return nothing{}, nil
		})
	}
	for _, name := range []string{"exec", "setenv", "proxy", "redirect", "drop", "initcol", "expirevar", "skip"} {
		plugins.RegisterAction(name, func() plugintypes.Action { return telltale{w, name, nil} })
	}
	plugins.RegisterAction("ctl", func() plugintypes.Action { return telltale{w, "ctl", harmless} })
	return w
}

var watched watcher

// harmless tells whether ctl changes what it may.
func harmless(value string) bool {
	name, what, _ := strings.Cut(value, "=")
	switch name {
	case "requestBodyProcessor":
		return slices.Contains([]string{"URLENCODED", "MULTIPART", "JSON", "XML"}, what)
	case "forceRequestBodyVariable", "forceResponseBodyVariable":
		return what == "On"
	case "ruleRemoveById", "ruleRemoveByTag", "ruleRemoveTargetById", "ruleRemoveTargetByTag":
		return true
	}
	return false
}

type nothing struct{}

func (nothing) Evaluate(plugintypes.TransactionState, string) bool { return false }

// telltale is an action that tells of being made, unless its value is fine.
type telltale struct {
	w    *watcher
	name string
	fine func(string) bool
}

func (a telltale) Init(_ plugintypes.RuleMetadata, value string) error {
	if a.fine == nil || !a.fine(value) {
		a.w.made = append(a.w.made, a.name+":"+value)
	}
	return nil
}

func (telltale) Evaluate(plugintypes.RuleMetadata, plugintypes.TransactionState) {}

func (telltale) Type() plugintypes.ActionType { return plugintypes.ActionTypeNondisruptive }
