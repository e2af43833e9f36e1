package form

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

func TestTimesAreReadInAnyOffsetAndWrittenInUTC(t *testing.T) {
	tests := []struct{ in, want string }{
		{"2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"},
		{"2027-01-31T12:00:00.5Z", "2027-01-31T12:00:00.5Z"},
		{"2027-01-31T12:00:00.123456789+02:00", "2027-01-31T10:00:00.123456789Z"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"},
		{"1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"},
	}
	for _, tt := range tests {
		at, err := ParseTime(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := string(AppendTime(nil, at.GetSeconds(), at.GetNanos())); got != tt.want {
			t.Errorf("%s is written %s", tt.in, got)
		}
	}
}

func TestWhatIsNoTimeIsRefused(t *testing.T) {
	for _, s := range []string{
		"", "2027-01-31", "2027-01-31T12:00:00", "2027-01-31 12:00:00Z", "2027-02-30T12:00:00Z", "2027-01-31T24:00:00Z", "2027-01-31T1:00:00Z",
		"2027-01-31T12:00:60Z", "2027-01-31T12:00:00,5Z", "2027-01-31t12:00:00z", "2027-01-31T12:00:00+25:00", "0001-01-01T00:00:00+01:00",
		"9999-12-31T23:59:59-01:00", "2027-01-31T12:00:00.1234567891Z", "10000-01-01T00:00:00Z", "1738324800",
	} {
		if at, err := ParseTime(s); err == nil {
			t.Errorf("%q is read as %v", s, at.AsTime())
		}
	}
}

func FuzzATimeKeepsItsValue(f *testing.F) {
	f.Add("2027-01-31T12:00:00.123456789+02:00")
	f.Add("0001-01-01T00:00:00Z")
	f.Fuzz(func(t *testing.T, s string) {
		at, err := ParseTime(s)
		if err != nil {
			return
		}
		written := string(AppendTime(nil, at.GetSeconds(), at.GetNanos()))
		back, err := ParseTime(written)
		if err != nil || !equal(at, back) {
			t.Fatalf("%q is written %q, which is read as %v, %v", s, written, back, err)
		}
	})
}

func equal(a, b *timestamppb.Timestamp) bool {
	return a.GetSeconds() == b.GetSeconds() && a.GetNanos() == b.GetNanos()
}

func TestEnumsAreWrittenInLowerCaseWithoutTheirPrefix(t *testing.T) {
	enum := configv1.Mode(0).Descriptor()
	if got := EnumNames(enum); !slices.Equal(got, []string{"off", "shadow", "enforce"}) {
		t.Fatalf("got %v", got)
	}
	for _, name := range EnumNames(enum) {
		number, ok := EnumNumber(enum, name)
		if back, written := EnumName(enum, number); !ok || !written || back != name {
			t.Errorf("%s came back as %s", name, back)
		}
	}
	for _, name := range []string{"", "unspecified", "Enforce", "ENFORCE", "mode_enforce", "MODE_ENFORCE", "3"} {
		if _, ok := EnumNumber(enum, name); ok {
			t.Errorf("%q is a value", name)
		}
	}
	for _, number := range []configv1.Mode{0, 99, -1} {
		if name, ok := EnumName(enum, number.Number()); ok {
			t.Errorf("%d is written %q", number, name)
		}
	}
	if got := enumPrefix("HttpMethod"); got != "HTTP_METHOD_" {
		t.Errorf("got %s", got)
	}
}

func TestGivenIsCutAtACharacter(t *testing.T) {
	tests := []struct{ in, want string }{
		{"short", "short"},
		{strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{strings.Repeat("a", 65), strings.Repeat("a", 64) + "…"},
		{strings.Repeat("a", 63) + "é" + "b", strings.Repeat("a", 63) + "…"},
		{"\xff", "\uFFFD"},
	}
	for _, tt := range tests {
		if got := Given(tt.in); got != tt.want {
			t.Errorf("Given(%q) = %q", tt.in, got)
		}
	}
}

func TestJoinReadsAsASentence(t *testing.T) {
	for want, values := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := Join(values, "or"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzAStringReadsBack(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "é😀\u2028\u2029", "\xff\xc0\xaf", "a\xffb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		written := AppendString([]byte("x"), s)[1:]
		var back string
		if err := json.Unmarshal(written, &back); err != nil || !utf8.Valid(written) {
			t.Fatalf("%q is written %q: %v", s, written, err)
		}
		if want := string([]rune(s)); back != want {
			t.Fatalf("%q came back as %q", want, back)
		}
	})
}
