package kinds_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

var kindName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func TestEveryKindIsFoundByItsNameAndItsMessage(t *testing.T) {
	if !slices.IsSorted(kinds.Names()) {
		t.Errorf("the list isn't in the order of the names: %v", kinds.Names())
	}
	for _, kind := range kinds.All() {
		if !kindName.MatchString(kind.Name) {
			t.Errorf("%q is no name of a kind", kind.Name)
		}
		if found, ok := kinds.ByName(kind.Name); !ok || found.TypeURL() != kind.TypeURL() {
			t.Errorf("%s isn't found by its name", kind.Name)
		}
		if found, ok := kinds.ByMessage(kind.TypeURL()); !ok || found.Name != kind.Name {
			t.Errorf("%s isn't found by its message: two kinds share one", kind.Name)
		}
		packed, err := anypb.New(kind.New())
		if err != nil || packed.GetTypeUrl() != kind.TypeURL() {
			t.Errorf("%s has the type URL %s, not %s", kind.Name, packed.GetTypeUrl(), kind.TypeURL())
		}
	}
	if _, ok := kinds.ByName("no-such-kind"); ok {
		t.Error("an unknown kind was found")
	}
}

func TestEveryKindIsDescribedAndHasItsPhases(t *testing.T) {
	for _, kind := range kinds.All() {
		if !strings.HasSuffix(kind.Description, ".") || len(kind.Description) < 40 {
			t.Errorf("%s: %q is no description", kind.Name, kind.Description)
		}
		if len(kind.Phases) == 0 || !slices.IsSorted(kind.Phases) || slices.ContainsFunc(kind.Phases, func(p policy.Phase) bool { return !p.Valid() }) {
			t.Errorf("%s has the phases %v", kind.Name, kind.Phases)
		}
		if phase := kind.Phase(kind.New()); !slices.Contains(kind.Phases, phase) {
			t.Errorf("an empty %s runs in %v, which is none of its phases", kind.Name, phase)
		}
	}
}

func TestEveryFieldOfEveryKindIsDocumentedAndHasNoSecret(t *testing.T) {
	for _, kind := range kinds.All() {
		eachField(kind.New().ProtoReflect().Descriptor(), nil, func(field protoreflect.FieldDescriptor) {
			if resource.Comment(field) == "" {
				t.Errorf("%s has no comment", field.FullName())
			}
			if resource.Options(field).GetSecret() {
				t.Errorf("%s is a secret: configuration names secrets by id", field.FullName())
			}
		})
	}
}

func TestValidFixturesPass(t *testing.T) {
	for _, kind := range kinds.All() {
		files := fixtures(t, kind, "valid", 2)
		schema := jsonSchema(t, kind)
		for _, file := range files {
			t.Run(kind.Name+"/"+filepath.Base(file), func(t *testing.T) {
				document := read(t, file)
				config := kind.New()
				if violations := check(kind, document, config); len(violations) > 0 {
					t.Fatalf("refused: %v", violations)
				}
				if phase := kind.Phase(config); !slices.Contains(kind.Phases, phase) {
					t.Errorf("runs in %v, which is none of the kind's phases", phase)
				}
				for _, flaw := range schema.check(t, document) {
					t.Errorf("the schema refuses it: %s", flaw)
				}
				again, err := resource.Encode(config)
				if err != nil {
					t.Fatal(err)
				}
				for _, flaw := range schema.check(t, again) {
					t.Errorf("the schema refuses what was written: %s", flaw)
				}
			})
		}
	}
}

// An invalid fixture is the input, a line of dashes, and one line per violation: its pointer ("(document)" for the whole) and its code.
func TestInvalidFixturesAreRefusedForExactlyTheirReasons(t *testing.T) {
	for _, kind := range kinds.All() {
		for _, file := range fixtures(t, kind, "invalid", 3) {
			t.Run(kind.Name+"/"+filepath.Base(file), func(t *testing.T) {
				input, expected, ok := strings.Cut(string(read(t, file)), "\n---\n")
				if !ok {
					t.Fatal("has no line of dashes")
				}
				var got []string
				for _, v := range check(kind, []byte(input), kind.New()) {
					if v.Detail == "" {
						t.Errorf("%s: %s without words", v.Pointer, v.Code)
					}
					if v.Pointer == "" {
						v.Pointer = "(document)"
					}
					got = append(got, v.Pointer+" "+v.Code)
				}
				want := strings.Split(strings.TrimSpace(expected), "\n")
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
}

func TestUnpackRefusesWhatIsNoKind(t *testing.T) {
	if _, _, err := kinds.Unpack(&anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Empty"}); err == nil {
		t.Error("a message that is no kind's was unpacked")
	}
	if _, _, err := kinds.Unpack(nil); err == nil {
		t.Error("nothing was unpacked")
	}
	broken := &anypb.Any{TypeUrl: kinds.All()[0].TypeURL(), Value: []byte{0xff}}
	if _, _, err := kinds.Unpack(broken); err == nil {
		t.Error("broken bytes were unpacked")
	}
}

// check is what becomes of a configuration on its way in.
func check(kind policy.Kind, document []byte, config proto.Message) []problem.Violation {
	if violations := resource.Decode(document, config); len(violations) > 0 {
		return violations
	}
	full := resource.Defaulted(config)
	return append(validate.Message(full), kind.Validate(full)...)
}

// fixtures returns the fixtures of a kind, whose folder is named like the kind without hyphens.
func fixtures(t *testing.T, kind policy.Kind, folder string, least int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", strings.ReplaceAll(kind.Name, "-", ""), "testdata", folder, "*.json"))
	if err != nil || len(files) < least {
		t.Errorf("%s has %d %s fixtures, want at least %d", kind.Name, len(files), folder, least)
	}
	return files
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func jsonSchema(t *testing.T, kind policy.Kind) schema {
	t.Helper()
	document, err := json.Marshal(resource.Schema(kind.New().ProtoReflect().Descriptor()))
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(document, &root); err != nil {
		t.Fatal(err)
	}
	return schema{root: root}
}

// eachField visits the fields of a message and of all our messages that it holds.
func eachField(md protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool, visit func(protoreflect.FieldDescriptor)) {
	if seen == nil {
		seen = map[protoreflect.FullName]bool{}
	}
	if seen[md.FullName()] || !strings.HasPrefix(string(md.FullName()), "sallyport.") {
		return
	}
	seen[md.FullName()] = true
	for i := range md.Fields().Len() {
		field := md.Fields().Get(i)
		visit(field)
		if field.Message() != nil && !field.IsMap() {
			eachField(field.Message(), seen, visit)
		}
	}
}
