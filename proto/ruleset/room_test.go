package ruleset_test

import (
	"fmt"
	"reflect"
	"testing"
)

// TestNoRuleHasRoomForARequestsOwnExceptions: engines append what a request alone is excepted from to a rule's own exceptions. Where the rule's list has
// room to spare, two requests at once write into the same place, and one is excepted from what the other is.
func TestNoRuleHasRoomForARequestsOwnExceptions(t *testing.T) {
	for _, config := range []string{
		`{}`,
		`{"exceptions": [{"tags": ["attack-sqli"], "targets": ["argument:a", "argument:b", "cookie:c", "body", "path", "header:x-y"]}]}`,
		`{"exceptions": [{"rules": ["941100", "942420-942421"], "targets": ["cookie:a", "cookie:b", "cookie:c d", "cookie:d", "cookie:e"]}]}`,
		`{"seclang_after": "SecRuleUpdateTargetById 942290 \"!REQUEST_COOKIES:x|!REQUEST_COOKIES:y\""}`,
	} {
		waf, _ := load(t, compose(t, config))
		seen := 0
		rules := reflect.ValueOf(waf).FieldByName("waf").Elem().FieldByName("Rules").FieldByName("rules")
		for i := range rules.Len() {
			for link := rules.Index(i); ; link = link.FieldByName("Chain").Elem() {
				seen += exceptions(t, link)
				if link.FieldByName("Chain").IsNil() {
					break
				}
			}
		}
		if seen < 30 {
			t.Errorf("%s: only %d exceptions were seen: the engine keeps them elsewhere now", config, seen)
		}
	}
}

// exceptions counts the exceptions of one link of a rule.
func exceptions(t *testing.T, link reflect.Value) (count int) {
	t.Helper()
	variables := link.FieldByName("variables")
	for j := range variables.Len() {
		list := variables.Index(j).FieldByName("Exceptions")
		count += list.Len()
		if list.Len() != list.Cap() {
			t.Errorf("rule %d of %d: %s has %d exceptions and room for %d", link.FieldByName("ID_").Int(), link.FieldByName("ParentID_").Int(),
				fmt.Sprint(variables.Index(j).FieldByName("Variable")), list.Len(), list.Cap())
		}
	}
	return count
}
