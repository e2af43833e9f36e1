package resource

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	_ "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

// otherCollections are those that are no configuration and may be referred to.
var otherCollections = []string{"consumers", "api-keys", "secrets", "teams", "users", "access-tokens", "roles", "environments"}

func TestEveryTypeIsFoundByItsCollection(t *testing.T) {
	prefixes := map[string]bool{}
	for _, ty := range Types() {
		if found, ok := ByCollection(ty.Collection); !ok || found != ty {
			t.Errorf("%s isn't found", ty.Collection)
		}
		if prefixes[ty.Prefix] || ty.Singular == "" || ty.Check == nil {
			t.Errorf("%s: prefix %q, singular %q", ty.Collection, ty.Prefix, ty.Singular)
		}
		prefixes[ty.Prefix] = true
		if ty.New() == ty.New() {
			t.Errorf("%s: New gives the same message twice", ty.Collection)
		}
	}
	if _, ok := ByCollection("consumers"); ok {
		t.Error("the directory's collection is a configuration resource")
	}
	Types()[0] = nil
	if Types()[0] == nil {
		t.Error("the registry can be changed through its list")
	}
}

func TestEveryTypeHasTheCommonFieldsAtTheirNumbers(t *testing.T) {
	common := map[protoreflect.FieldNumber]protoreflect.Name{1: "id", 2: "name", 3: "labels", 5: "description"}
	for _, ty := range Types() {
		fields := ty.New().ProtoReflect().Descriptor().Fields()
		for number, name := range common {
			if f := fields.ByNumber(number); f == nil || f.Name() != name {
				t.Errorf("%s: field %d isn't %s", ty.Collection, number, name)
			}
		}
		for i := range fields.Len() {
			if f := fields.Get(i); f.Number() < 10 && common[f.Number()] == "" && (f.Number() != 4 || f.Name() != "team") {
				t.Errorf("%s: %s has the number %d; own fields begin at 10", ty.Collection, f.Name(), f.Number())
			}
		}
	}
}

func TestEveryFieldOfOursHasAComment(t *testing.T) {
	count := 0
	eachOfOurs(func(md protoreflect.MessageDescriptor) {
		if Comment(md) == "" {
			t.Errorf("%s has no comment", md.FullName())
		}
		for i := range md.Fields().Len() {
			count++
			if Comment(md.Fields().Get(i)) == "" {
				t.Errorf("%s has no comment", md.Fields().Get(i).FullName())
			}
		}
	})
	if count < 150 {
		t.Errorf("only %d fields were looked at", count)
	}
}

func TestConfigurationHasNoSecrets(t *testing.T) {
	eachOfOurs(func(md protoreflect.MessageDescriptor) {
		name := string(md.FullName())
		if !strings.HasPrefix(name, "sallyport.config.") && !strings.HasPrefix(name, "sallyport.policy.") {
			return
		}
		for i := range md.Fields().Len() {
			if f := md.Fields().Get(i); Options(f).GetSecret() {
				t.Errorf("%s is secret: configuration names a secret by id", f.FullName())
			}
		}
	})
}

func TestOptionsMakeSense(t *testing.T) {
	eachOfOurs(func(md protoreflect.MessageDescriptor) {
		for i := range md.Fields().Len() {
			f := md.Fields().Get(i)
			checkDefault(t, f)
			checkReference(t, f)
			isAny := f.Message() != nil && f.Message().FullName() == anyName
			if sibling := Options(f).GetTypedBy(); sibling != "" || isAny && hasJSON(md) {
				of := md.Fields().ByName(protoreflect.Name(sibling))
				if !isAny || of == nil || of.Kind() != protoreflect.StringKind || of.IsList() {
					t.Errorf("%s: typed_by %q names no sibling that can name a kind, or the field is no Any", f.FullName(), sibling)
				}
			}
		}
	})
}

func checkDefault(t *testing.T, f protoreflect.FieldDescriptor) {
	t.Helper()
	text := Options(f).GetDefault()
	if text == "" {
		return
	}
	if !f.HasPresence() && !f.IsList() && !f.IsMap() {
		t.Errorf("%s has a default, but nothing tells whether it was given", f.FullName())
	}
	holder := newMessage(f.ContainingMessage())
	if violations := Decode([]byte(`{"`+string(f.Name())+`":`+text+`}`), holder); len(violations) > 0 {
		t.Errorf("%s: its default %s is refused: %v", f.FullName(), text, violations)
	}
	if !holder.ProtoReflect().Has(f) {
		t.Errorf("%s: its default %s says nothing", f.FullName(), text)
	}
}

func checkReference(t *testing.T, f protoreflect.FieldDescriptor) {
	t.Helper()
	collection := Options(f).GetReference()
	if collection == "" {
		return
	}
	if _, ok := ByCollection(collection); !ok && !slices.Contains(otherCollections, collection) {
		t.Errorf("%s refers to %q, which is no collection", f.FullName(), collection)
	}
	if f.Kind() != protoreflect.StringKind {
		t.Errorf("%s is no text, and so can't refer", f.FullName())
	}
}

// hasJSON tells whether messages of a package travel as JSON.
func hasJSON(md protoreflect.MessageDescriptor) bool {
	for _, prefix := range []string{"sallyport.config.", "sallyport.policy.", "sallyport.admin."} {
		if strings.HasPrefix(string(md.FullName()), prefix) {
			return true
		}
	}
	return false
}

// The descriptors with comments are those that the Go code was generated from.
func TestTheEmbeddedDescriptorsAreFresh(t *testing.T) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(descriptorSet, set); err != nil {
		t.Fatal(err)
	}
	embedded := map[string]bool{}
	for _, file := range set.GetFile() {
		embedded[file.GetName()] = true
		compiled, err := protoregistry.GlobalFiles.FindFileByPath(file.GetName())
		if err != nil {
			t.Errorf("%s isn't compiled in: run go generate in this folder", file.GetName())
			continue
		}
		want := protodesc.ToFileDescriptorProto(compiled)
		file.SourceCodeInfo = nil
		if !proto.Equal(normal(t, file), normal(t, want)) {
			t.Errorf("%s differs from the generated code: run go generate in this folder", file.GetName())
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(file.Path(), "sallyport/") && !embedded[file.Path()] {
			t.Errorf("%s is missing: run go generate in this folder", file.Path())
		}
		return true
	})
}

// normal reads a descriptor's bytes again, so that both know the same options as fields.
func normal(t *testing.T, file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	again := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(data, again); err != nil {
		t.Fatal(err)
	}
	return again
}

// A comment that was changed since the descriptors were made would change no compiled descriptor.
func TestTheEmbeddedCommentsAreFresh(t *testing.T) {
	written := sourceComments(t)
	for name, comment := range comments() {
		if !strings.Contains(written, strings.Join(strings.Fields(comment), " ")) {
			t.Errorf("the comment of %s isn't in the .proto: run go generate in this folder", name)
		}
	}
}

// sourceComments returns all comments of our .proto files, words parted by one space.
func sourceComments(t *testing.T) string {
	t.Helper()
	var words []string
	err := filepath.WalkDir("../sallyport", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".proto" {
			return err
		}
		source, err := os.ReadFile(path)
		lines := bufio.NewScanner(bytes.NewReader(source))
		for lines.Scan() {
			if comment, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "//"); ok {
				words = append(words, strings.Fields(comment)...)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(words, " ")
}

// eachOfOurs visits every message of our packages.
func eachOfOurs(visit func(protoreflect.MessageDescriptor)) {
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		if strings.HasPrefix(string(mt.Descriptor().FullName()), "sallyport.") && !mt.Descriptor().IsMapEntry() {
			visit(mt.Descriptor())
		}
		return true
	})
}
