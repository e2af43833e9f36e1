package resource

import (
	"encoding/base64"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

// ErrUnknownField is what the errors of FromStored and RefuseUnknown wrap when a message holds a field, or a configuration of a
// kind, that this build doesn't know.
var ErrUnknownField = errors.New("unknown field")

// Stored returns the bytes of a message as they are stored, hashed, signed for and sent: the same message always gives the
// same bytes in one build. Those bytes are kept, and never made anew from a message that was read.
func Stored(m proto.Message) ([]byte, error) {
	stored, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return stored, nil
}

// FromStored reads what Stored wrote. It refuses fields that this build doesn't know, at any depth and inside a policy's
// configuration too: a rule that is not understood must not be skipped.
func FromStored(t *Type, stored []byte) (Message, error) {
	m := t.New()
	if err := proto.Unmarshal(stored, m); err != nil {
		return nil, fmt.Errorf("stored %s: %w", t.Singular, err)
	}
	if err := RefuseUnknown(m); err != nil {
		return nil, fmt.Errorf("stored %s: %w", t.Singular, err)
	}
	return m, nil
}

// RefuseUnknown returns an error when a message, read from bytes, holds a field that this build doesn't know, at any depth and
// inside a policy's configuration too. The error names the place.
func RefuseUnknown(m proto.Message) error { return refuseUnknown(m.ProtoReflect(), nil) }

func refuseUnknown(m protoreflect.Message, at *jsontree.Place) error {
	if len(m.GetUnknown()) > 0 {
		return fmt.Errorf("%w in %s at %q", ErrUnknownField, m.Descriptor().FullName(), at.Pointer())
	}
	if packed, ok := m.Interface().(*anypb.Any); ok {
		return refuseUnknownConfig(packed, at)
	}
	var err error
	m.Range(func(desc protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if heldMessage(desc) == nil {
			return true
		}
		place := at.Member(string(desc.Name()))
		err = refuseUnknownField(desc, v, &place)
		return err == nil
	})
	return err
}

func refuseUnknownField(desc protoreflect.FieldDescriptor, v protoreflect.Value, at *jsontree.Place) error {
	switch {
	case desc.IsMap():
		var err error
		v.Map().Range(func(key protoreflect.MapKey, entry protoreflect.Value) bool {
			place := at.Member(key.String())
			err = refuseUnknown(entry.Message(), &place)
			return err == nil
		})
		return err
	case desc.IsList():
		for i := range v.List().Len() {
			place := at.Item(i)
			if err := refuseUnknown(v.List().Get(i).Message(), &place); err != nil {
				return err
			}
		}
		return nil
	}
	return refuseUnknown(v.Message(), at)
}

func refuseUnknownConfig(packed *anypb.Any, at *jsontree.Place) error {
	if _, known := kinds.ByMessage(packed.GetTypeUrl()); !known {
		return fmt.Errorf("%w: configuration of unknown type %q at %q", ErrUnknownField, packed.GetTypeUrl(), at.Pointer())
	}
	_, config, err := kinds.Unpack(packed)
	if err != nil {
		return err
	}
	return refuseUnknown(config.ProtoReflect(), at)
}

// ETag returns the entity tag (RFC 9110 §8.8.3) of an object's bytes as stored: 128 bits of their SHA-256.
func ETag(stored []byte) string {
	hash := digest.HashOf(stored)
	return `"` + base64.RawURLEncoding.EncodeToString(hash[:]) + `"`
}
