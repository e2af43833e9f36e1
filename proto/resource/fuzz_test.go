package resource

import (
	"bytes"
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy/kinds"
)

var seeds = []string{
	`{"name":"orders","labels":{"a":"1"},"upstream":{"targets":[{"address":"a:80","weight":0}],"timeouts":{"connect":"250ms"}}}`,
	`{"name":"r","service":"s","hosts":["*.example.com"],"paths":[{"template":"/a/{id}"}],"methods":["GET"],"headers":[{"name":"X","present":false}],"public":true}`,
	`{"name":"p","kind":"rate-limit","mode":"shadow","config":{"by":[{"key":true}],"windows":[{"requests":10,"window":"1s"}]},"attached_to":[{"service":"s"}]}`,
	`{"config":{"locations":[{"cookie":"k"}],"required_scopes":["a"]},"kind":"api-key"}`,
	`{"name":"settings","trusted_proxies":["10.0.0.0/8"],"allowed_target_ranges":["::1/128"]}`,
	`{"operations":[{"action":"put","collection":"routes","body":{"a":[1e3,null,{"b":"x"}]}}]}`,
	`{"created_at":"2027-01-31T12:00:00.5+01:00","epoch":18446744073709551615,"name":null}`,
	`{"name":"a","name":"b"}`, `{"nme":"a"}`, `{"upstream":{"targets":[{"weight":-0}]}}`, `[]`, `{"a":`, "{\"name\":\"\xff\"}",
}

// targets are the messages that documents are read into, one by one.
func targets() []proto.Message {
	return []proto.Message{
		&configv1.Service{}, &configv1.Route{}, &configv1.Policy{}, &configv1.EnvironmentSettings{},
		&adminv1.ChangesRequest{}, &adminv1.Environment{}, &adminv1.ApiKey{}, &structpb.Struct{},
	}
}

// What is read is written in a form that reads as the same, is stored and comes back, and holds no name twice or unknown.
func FuzzJSONToMessageToJSONIsStable(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range targets() {
			if len(Decode(data, m)) > 0 {
				continue
			}
			if flaw := namesFlaw(t, data, m.ProtoReflect().Descriptor()); flaw != "" {
				t.Fatalf("%s: %q passed with %s", m.ProtoReflect().Descriptor().Name(), data, flaw)
			}
			written, err := Encode(m)
			if err != nil {
				t.Fatalf("%q was read but not written: %v", data, err)
			}
			again := m.ProtoReflect().New().Interface()
			if violations := Decode(written, again); len(violations) > 0 {
				t.Fatalf("%q was written as %s, which is refused: %v", data, written, violations)
			}
			rewritten, err := Encode(again)
			if err != nil || !bytes.Equal(rewritten, written) {
				t.Fatalf("%q was written as %s, then as %s, %v", data, written, rewritten, err)
			}
			checkStored(t, m)
			checkDefaulted(t, m)
		}
	})
}

func checkStored(t *testing.T, m proto.Message) {
	t.Helper()
	for _, ty := range types {
		if ty.New().ProtoReflect().Descriptor() != m.ProtoReflect().Descriptor() {
			continue
		}
		ty.Validate(m.(Message))
		kept := stored(t, m)
		back, err := FromStored(ty, kept)
		if err != nil || !proto.Equal(back, m) || !bytes.Equal(stored(t, back), kept) {
			t.Fatalf("%v came back as %v, %v", m, back, err)
		}
	}
}

func checkDefaulted(t *testing.T, m proto.Message) {
	t.Helper()
	full := Defaulted(m)
	if !proto.Equal(full, Defaulted(full)) {
		t.Fatalf("%v: defaults change what they filled in", m)
	}
	for _, r := range References(full) {
		if r.Value == "" || r.Collection == "" || r.Pointer == "" {
			t.Fatalf("%v refers by %v", m, r)
		}
	}
}

// namesFlaw reads a document by encoding/json, and returns what Decode should have refused: a name twice, or an unknown one.
func namesFlaw(t *testing.T, data []byte, md protoreflect.MessageDescriptor) string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	w := &nameWalk{decoder: decoder}
	var whole struct{ Kind any }
	_ = json.Unmarshal(data, &whole) // Kind alone is of interest, and may not be there
	w.kind, _ = whole.Kind.(string)
	w.value(md)
	if _, err := decoder.Token(); w.flaw == "" && err == nil {
		return "data behind it"
	}
	return w.flaw
}

type nameWalk struct {
	decoder *json.Decoder
	kind    string
	flaw    string
}

// value reads the next value; md is what its names are held to, nil for none.
func (w *nameWalk) value(md protoreflect.MessageDescriptor) {
	token, err := w.decoder.Token()
	if err != nil {
		w.flaw = "a syntax error: " + err.Error()
		return
	}
	seen := map[string]bool{}
	switch token {
	case json.Delim('['):
		for w.flaw == "" && w.decoder.More() {
			w.value(md)
		}
	case json.Delim('{'):
		for w.flaw == "" && w.decoder.More() {
			name, err := w.decoder.Token()
			text, ok := name.(string)
			if err != nil || !ok || seen[text] {
				w.flaw = "the name " + text + " twice"
				return
			}
			seen[text] = true
			w.member(md, text)
		}
	default:
		return
	}
	if w.flaw == "" {
		_, _ = w.decoder.Token()
	}
}

func (w *nameWalk) member(md protoreflect.MessageDescriptor, name string) {
	if md == nil || isWellKnown(md) {
		w.value(nil)
		return
	}
	field := md.Fields().ByName(protoreflect.Name(name))
	switch {
	case field == nil:
		w.flaw = "the unknown name " + name
	case field.IsMap():
		w.value(nil)
	case Options(field).GetTypedBy() != "":
		kind, ok := kinds.ByName(w.kind)
		if !ok {
			w.value(nil)
			return
		}
		w.value(kind.New().ProtoReflect().Descriptor())
	default:
		w.value(field.Message())
	}
}

// No patch makes a message that a document couldn't.
func FuzzAPatchGivesWhatADocumentCould(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s), []byte(seeds[len(seeds)-1-i]))
	}
	f.Add([]byte(seeds[0]), []byte(`{"upstream":{"targets":null,"nope":null},"labels":{"a":null}}`))
	f.Fuzz(func(t *testing.T, data, patch []byte) {
		for _, m := range targets() {
			if len(Decode(data, m)) > 0 {
				continue
			}
			patched, violations := MergePatch(m, patch)
			if (patched == nil) != (len(violations) > 0) {
				t.Fatalf("%q + %q gave %v and %v", data, patch, patched, violations)
			}
			if patched == nil {
				continue
			}
			written, err := Encode(patched)
			if err != nil {
				t.Fatal(err)
			}
			if violations := Decode(written, m); len(violations) > 0 {
				t.Fatalf("%q + %q gave %s, which is refused: %v", data, patch, written, violations)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var m configv1.Service
		Decode([]byte(seeds[0]), &m)
	}
}

func BenchmarkEncode(b *testing.B) {
	var m configv1.Service
	Decode([]byte(seeds[0]), &m)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = Append(dst[:0], &m)
	}
}

func BenchmarkValidate(b *testing.B) {
	for i, collection := range []string{"services", "routes", "policies"} {
		b.Run(collection, func(b *testing.B) {
			ty, _ := ByCollection(collection)
			m := ty.New()
			Decode([]byte(seeds[i]), m)
			if violations := ty.Validate(m); len(violations) > 0 {
				b.Fatal(violations)
			}
			b.ReportAllocs()
			for b.Loop() {
				ty.Validate(m)
			}
		})
	}
}

func BenchmarkDefaulted(b *testing.B) {
	var m configv1.Service
	Decode([]byte(seeds[0]), &m)
	b.ReportAllocs()
	for b.Loop() {
		Defaulted(&m)
	}
}
