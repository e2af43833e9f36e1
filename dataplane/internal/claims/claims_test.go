package claims

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestClaimsAreFoundByNameAndByPath(t *testing.T) {
	c, err := Parse([]byte(`{"iss":"https://a","sub":"s","jti":"7","realm_access":{"roles":["admin","user"]},"https://x.example/roles":"r","n":7,"ok":true,"o":{"p":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer() != "https://a" || c.Subject() != "s" || c.TokenID() != "7" || len(c.All()) != 8 {
		t.Errorf("read %q, %q, %q of %d claims", c.Issuer(), c.Subject(), c.TokenID(), len(c.All()))
	}
	for _, test := range []struct {
		path   string
		wanted []string
		any    bool
		all    bool
	}{
		{"realm_access.roles", []string{"user"}, true, true},
		{"realm_access.roles", []string{"admin", "user"}, true, true},
		{"realm_access.roles", []string{"admin", "other"}, true, false},
		{"realm_access.roles.admin", []string{"admin"}, false, false},
		{"https://x.example/roles", []string{"r"}, true, true},
		{"n", []string{"7"}, true, true},
		{"n", []string{"07"}, false, false},
		{"ok", []string{"true"}, true, true},
		{"o", []string{"a JSON object", "an object"}, false, false},
		{"o.p", []string{"null"}, false, false},
		{"none", []string{""}, false, false},
		{"none", nil, false, false},
	} {
		v := c.At(NewPath(test.path))
		if got := Holds(v, test.wanted); got != test.any {
			t.Errorf("%s holds one of %q: %v", test.path, test.wanted, got)
		}
		if got := HoldsAll(v, test.wanted); got != test.all {
			t.Errorf("%s holds all of %q: %v", test.path, test.wanted, got)
		}
	}
	var nothing *Claims
	if nothing.Subject() != "" || nothing.At(NewPath("a.b")) != nil || nothing.All() != nil {
		t.Error("no claims say something")
	}
}

func TestWordsAreThoseOfAListOrOfAText(t *testing.T) {
	c, err := Parse([]byte(`{"scope":"a  b:c","scp":["x",1,"y z"],"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"scope": "a|b:c", "scp": "x|y z", "n": "", "none": ""} {
		if got := strings.Join(Words(c.Get(name)), "|"); got != want {
			t.Errorf("%s: %q instead of %q", name, got, want)
		}
	}
}

func TestClaimsThatTwoReadersReadInTwoWaysAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no object": `["a"]`, "not JSON": `{"a":1`, "twice": `{"exp":1,"exp":2}`, "twice below": `{"a":{"b":1,"b":2}}`, "twice, escaped": `{"exp":1,"\u0065xp":2}`,
		"other letters": `{"EXP":1}`, "a client in other letters": `{"Client_Id":"a"}`, "too many": `{"a":[` + strings.Repeat("1,", MaxValues) + `1]}`, "one other letter": `{"Iss":"a"}`, "behind it": `{} {}`, "not Unicode": "{\"a\":\"\xff\"}", "half a pair": `{"a":"\ud800"}`,
		"too deep": `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		if c, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: read %v", name, c.All())
		}
	}
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	c, err := Parse([]byte(`{"a":{"b":{"c":["x","y"]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	path, wanted := NewPath("a.b.c"), []string{"y"}
	if n := testing.AllocsPerRun(100, func() {
		if !HoldsAll(c.At(path), wanted) {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTheSizeOfClaimsGrowsWithWhatTheyHold(t *testing.T) {
	last := 0
	for _, text := range []string{`{}`, `{"a":1}`, `{"a":[1,2,3,4,5,6,7,8]}`, `{"a":{"b":"` + strings.Repeat("c", 4096) + `"}}`, `{"a":[` + strings.Repeat("1,", MaxValues-4) + `1]}`} {
		c, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if size := c.Size(); size <= last || size < len(text) {
			t.Errorf("%.40s takes %d bytes, and what holds less %d", text, size, last)
		} else {
			last = size
		}
	}
	var nothing *Claims
	if nothing.Size() != 0 {
		t.Error("no claims take memory")
	}
}

func FuzzClaimsThatAreTakenAreOnesToOthers(f *testing.F) {
	f.Add([]byte(`{"iss":"a","exp":1e9,"aud":["a","b"],"realm":{"roles":["x",null,true]}}`))
	f.Add([]byte(`{"exp":1,"EXP":2}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := Parse(payload)
		if err != nil {
			return
		}
		var others map[string]any
		if err := json.Unmarshal(payload, &others); err != nil || len(others) != len(c.All()) {
			t.Fatalf("%q: %d claims here, %v to others: %v", payload, len(c.All()), others, err)
		}
		var folded struct{ Iss, Sub, Jti any } // a reader that passes over the case
		if err := json.Unmarshal(payload, &folded); err != nil {
			t.Fatalf("%q: %v", payload, err)
		}
		for name, value := range map[string]any{"iss": folded.Iss, "sub": folded.Sub, "jti": folded.Jti} {
			if text, ok := value.(string); ok && text != c.Text(name) {
				t.Fatalf("%q: %s is %q here and %q to others", payload, name, c.Text(name), text)
			}
		}
	})
}
